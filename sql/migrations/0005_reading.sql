-- What readers leave behind and may take: searches are logged, analysts' sessions are bounded. And
-- two indexes by which the passages that a filter leaves find their vectors.

create index passages_embedded on passages (id) include (sha256);
create index embeddings_texts on embeddings using hash (sha256);

create table search_log (
    id            bigint generated always as identity primary key,
    asked_at      timestamptz not null default now(),
    login         name not null default session_user,
    principals    text[],
    collection    text not null,
    query         text not null,
    mode          text not null,
    filter        jsonb not null,
    k             integer not null,
    chunk_ids     bigint[] not null,
    milliseconds  double precision not null
);
create index search_log_asked_at on search_log (asked_at);
create index search_log_login on search_log (login, asked_at);
comment on table search_log is 'One row a search from Python, the command line or the server; searches in plain SQL are not logged. A login reads its own, the owner all.';
comment on column search_log.principals is 'For whom it was asked; null: for one who sees everything.';
comment on column search_log.chunk_ids is 'Of the hits, best first.';
comment on column search_log.milliseconds is 'From question to hits as the asking program saw it, its wait for an embedding included.';

create table analyst_limits (
    singleton       boolean primary key default true check (singleton),
    statement_age   interval not null default '5 minutes' check (statement_age > '0'),
    idle_age        interval not null default '10 minutes' check (idle_age > '0'),
    temp_megabytes  integer not null default 2048 check (temp_megabytes > 0),
    connections     integer not null default 5 check (connections > 0)
);
insert into analyst_limits default values;
comment on table analyst_limits is 'One row: what each login with the role openbook_analyst may take of the server.';
comment on column analyst_limits.statement_age is 'Older statements are cancelled, and their sessions ended when they are twice as old.';
comment on column analyst_limits.idle_age is 'Sessions that hold a transaction open for longer without a statement are ended.';
comment on column analyst_limits.temp_megabytes is 'Temporary files of one session, such as those of a large sort.';
comment on column analyst_limits.connections is 'Sessions of one login at a time.';
