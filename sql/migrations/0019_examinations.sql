-- What an examination of answers found: its figures, and how a judge compared two of them.

alter table golden_sets alter column collection_id drop not null;
comment on column golden_sets.collection_id is 'Null: its questions are about no documents of ours.';

comment on column golden_questions.expected_answer is 'What a good answer says; null where only its checks or sources are known.';
comment on column golden_questions.checks is 'What an answer must do: [{"kind": "exact" | "regex" | "json_schema" | "contains" | "must_cite" | "must_refuse", "value": …}]; of several texts in a value one is enough.';

comment on column answer_scores.measure is 'correct (every check holds), format, schema, exact, token_f1, citation_precision, citation_recall, grounded, refusal, retrieval_recall (0 to 1, more is better); nll (mean per token, less is better).';

create table answer_figures (
    answer_evaluation_id  bigint not null references answer_evaluations on delete cascade,
    measure               text not null,
    value                 double precision not null,
    low                   double precision not null,
    high                  double precision not null,
    items                 integer not null,
    primary key (answer_evaluation_id, measure)
);
comment on table answer_figures is 'One row an examination that ended and a measure.';
comment on column answer_figures.value is 'The mean over the items that the measure applies to.';
comment on column answer_figures.low is 'The lower end of the 95 % bootstrap interval.';
comment on column answer_figures.high is 'The upper end of the 95 % bootstrap interval.';
comment on column answer_figures.items is 'How many items the measure applies to.';

create table answer_verdicts (
    answer_evaluation_id  bigint not null references answer_evaluations on delete cascade,
    other_id              bigint not null references answer_evaluations on delete cascade,
    item                  text not null,
    judge                 text not null,
    verdict               text not null check (verdict in ('win', 'tie', 'loss')),
    reason                text,
    judged_at             timestamptz not null default now(),
    primary key (answer_evaluation_id, other_id, item, judge)
);
comment on table answer_verdicts is 'One row a question whose answers in two examinations a model compared, shown in both orders.';
comment on column answer_verdicts.other_id is 'The examination whose answer the first one''s was compared with.';
comment on column answer_verdicts.verdict is 'win: the first one''s answer is the better in either order; tie: the judge says so, or prefers what it is shown in one place.';
comment on column answer_verdicts.reason is 'The judge''s own words.';
