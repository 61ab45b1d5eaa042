-- What was examined, of whom, and where: a decision holds as long as all of it is as it was.

alter table answer_evaluations
    add column endpoint_model text,
    add column endpoint_url text,
    add column exam_sha256 bytea;
comment on column answer_evaluations.endpoint_model is 'What its server knew the model by; null: not asked of a server.';
comment on column answer_evaluations.endpoint_url is 'The server''s base URL; null: OpenAI''s own.';
comment on column answer_evaluations.exam_sha256 is 'Of the questions with all that scores them; two examinations can be compared item by item where it is the same.';

alter table gate_decisions
    add column endpoint_model text,
    add column endpoint_url text;
comment on column gate_decisions.endpoint_model is 'What the candidate''s server knew it by when it was judged; null: not known.';
comment on column gate_decisions.endpoint_url is 'The server''s base URL, as the registry had it then.';
