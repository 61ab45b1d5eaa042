-- What was paid for and stood nowhere.

create table reembeddings (
    id          bigint generated always as identity primary key,
    model_id    bigint not null references models,
    started_at  timestamptz not null default now(),
    embedded    bigint not null default 0,
    tokens      bigint not null default 0,
    usd         numeric not null default 0
);
comment on table reembeddings is 'One row a run that bought vectors of every readable text for a second embedding model.';
comment on column reembeddings.embedded is 'Texts sent to the embedder so far; a batch that failed counts none.';
comment on column reembeddings.tokens is 'Tokens sent to the embedder, those of a batch that failed included.';
comment on column reembeddings.usd is 'What the embedder charged, in US dollars.';

alter table answer_results
    add column context_tokens integer;
comment on column answer_results.context_tokens is 'Tokens of the prompt''s passages, as counted here; null: not known.';
