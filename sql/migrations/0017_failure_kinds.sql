-- What a model said of answers that people rejected without saying why.

create table failure_kinds (
    conversation_id  bigint not null references conversations on delete cascade,
    ordinal          integer not null,
    kind             text not null,
    judge            text not null,
    judged_at        timestamptz not null default now(),
    primary key (conversation_id, ordinal)
);
comment on table failure_kinds is 'One row an answer that people rejected without saying why, and what a model took to be wrong with it.';
comment on column failure_kinds.kind is 'stale, missed, unknown, unused, format, style, refusal, tool, or unclear: see `openbook advise`.';
comment on column failure_kinds.judge is 'The model that said so.';
