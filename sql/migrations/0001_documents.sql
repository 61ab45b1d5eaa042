-- What the book holds: sources, documents and their versions, chunks, passages and embeddings.
--
-- A file's bytes are read into one immutable row of `contents`, cut into `chunks`. A chunk's text is
-- a `passage`, stored once a collection; its vector is an `embedding`, stored once a model. A
-- `version` says that a document had a content for a while; `documents.version_id` says which one
-- readers see. Nothing is visible before that pointer moves, and nothing bought is bought again.

create extension if not exists vector with schema public;

create table collections (
    id    bigint generated always as identity primary key,
    name  text not null unique
);
comment on table collections is 'One row a collection: documents that are searched together. Collections share no passages, so that one tenant''s never shows in another''s.';

insert into collections (name) values ('default');

create table sources (
    id             bigint generated always as identity primary key,
    collection_id  bigint not null references collections,
    name           text not null unique,
    root           text not null unique,
    language       regconfig not null default 'pg_catalog.english',
    created_at     timestamptz not null default now()
);
comment on table sources is 'One row a watched folder.';
comment on column sources.root is 'The folder''s absolute path on the machine that ingests it.';
comment on column sources.language is 'The text search configuration whose stemmer and stop words its passages use.';

create table models (
    id           bigint generated always as identity primary key,
    name         text not null unique,
    dimensions   integer not null check (dimensions between 1 and 4000),
    token_limit  integer not null,
    serving      boolean not null default false,
    created_at   timestamptz not null default now()
);
create unique index models_serving on models (serving) where serving;
comment on table models is 'One row an embedding model; the vectors of different models cannot be compared.';
comment on column models.serving is 'Whether search uses this model; true for one at most.';

create table runs (
    id           bigint generated always as identity primary key,
    source_id    bigint not null references sources,
    model_id     bigint references models,
    started_at   timestamptz not null default now(),
    finished_at  timestamptz,
    outcome      text not null default 'running' check (outcome in ('running', 'done', 'failed', 'abandoned')),
    seen         integer not null default 0,
    new          integer not null default 0,
    changed      integer not null default 0,
    unchanged    integer not null default 0,
    renamed      integer not null default 0,
    deleted      integer not null default 0,
    rejected     integer not null default 0,
    chunks       integer not null default 0,
    embedded     integer not null default 0,
    tokens       bigint not null default 0,
    usd          numeric not null default 0,
    error        text
);
create index runs_source on runs (source_id, id desc);
comment on table runs is 'One row an ingestion run of one source.';
comment on column runs.outcome is 'running; done; failed (see error); abandoned: its process died, a later run took over.';
comment on column runs.seen is 'Files found by the directory walk.';
comment on column runs.chunks is 'Chunks of the documents that this run added or changed.';
comment on column runs.embedded is 'Texts sent to the embedder; the other chunks'' embeddings were already there.';
comment on column runs.tokens is 'Tokens sent to the embedder.';
comment on column runs.usd is 'What the embedder charged, in US dollars.';

create table contents (
    id             bigint generated always as identity primary key,
    collection_id  bigint not null references collections,
    language       regconfig not null,
    sha256         bytea not null,
    format         text not null,
    recipe         text not null,
    title          text,
    text           text not null,
    metadata       jsonb not null default '{}',
    chunks         integer not null,
    created_at     timestamptz not null default now(),
    unique (collection_id, language, sha256, format, recipe)
);
comment on table contents is 'One row a file content as read: immutable, shared by all documents with the same bytes.';
comment on column contents.sha256 is 'Of the file''s bytes.';
comment on column contents.recipe is 'How text and chunks were made of the bytes: versions of the parser and chunker, tokenizer, chunk size.';
comment on column contents.text is 'The extracted text; chunks'' offsets count its characters.';
comment on column contents.chunks is 'How many it was cut into; fewer rows in chunks mean that some were lost.';
comment on column contents.metadata is 'What the file says of itself: author, date, sender, sheet names …';

create table documents (
    id             bigint generated always as identity primary key,
    source_id      bigint not null references sources,
    path           text not null,
    version_id     bigint,
    status         text not null default 'pending' check (status in ('pending', 'current', 'rejected', 'deleted')),
    sha256         bytea,
    recipe         text,
    size_bytes     bigint,
    mtime_ns       bigint,
    ctime_ns       bigint,
    inode          numeric,
    reason         text,
    remedy         text,
    attempts       integer not null default 0,
    next_try_at    timestamptz,
    first_seen_at  timestamptz not null default now(),
    checked_at     timestamptz not null default now(),
    unique (source_id, path)
);
comment on table documents is 'One row a path of a source, with what the last scan saw there and the version that readers see.';
comment on column documents.path is 'Relative to the source''s root, with / between its parts; a backslash and bytes that are not UTF-8 are escaped as \\ and \xNN.';
comment on column documents.version_id is 'The version that readers see; null where there is none (never read, or deleted).';
comment on column documents.status is 'current: readers see the file''s content; pending: to be read; rejected: could not be read (reason, remedy), readers keep the last good version; deleted: the file is gone.';
comment on column documents.sha256 is 'Of the bytes that the status speaks of.';
comment on column documents.attempts is 'How often these bytes were tried and rejected.';
comment on column documents.next_try_at is 'When a rejected file is tried again without having changed; null: not before it changes.';

create table versions (
    id           bigint generated always as identity primary key,
    document_id  bigint not null references documents on delete cascade,
    content_id   bigint not null references contents,
    run_id       bigint not null references runs,
    valid_from   timestamptz not null default now(),
    valid_to     timestamptz
);
create index versions_document on versions (document_id, id);
create index versions_content on versions (content_id);
comment on table versions is 'One row a stretch of time in which a document had one content; the newest is the document''s current one.';
comment on column versions.valid_to is 'When another version, or a deletion, took its place; null while it is current.';

alter table documents
    add foreign key (version_id) references versions;
create index documents_version on documents (version_id) where version_id is not null;
create index documents_sha256 on documents (source_id, sha256);

create table passages (
    id             bigint generated always as identity primary key,
    collection_id  bigint not null references collections,
    language       regconfig not null,
    sha256         bytea not null,
    title          text,
    section        text,
    body           text not null,
    tokens         integer not null,
    lexemes        tsvector not null,
    uses           integer not null default 0 check (uses >= 0),
    unique (collection_id, language, sha256)
);
create index passages_sha256 on passages (sha256);
comment on table passages is 'One row a distinct chunk text of a collection: the unit that is embedded, indexed and ranked.';
comment on column passages.sha256 is 'Of the embedded text: title, section path and body, one line each.';
comment on column passages.section is 'The path of headings above the body, outermost first, joined by " > ".';
comment on column passages.tokens is 'Length of the embedded text in the embedding model''s tokens.';
comment on column passages.lexemes is 'What keyword search matches, made of the embedded text by openbook.lexemes().';
comment on column passages.uses is 'In how many chunks of current documents the passage stands; 0: in history alone. Kept by a trigger on documents.';

create table chunks (
    id          bigint generated always as identity primary key,
    content_id  bigint not null references contents on delete cascade,
    ordinal     integer not null,
    passage_id  bigint not null references passages,
    first_page  integer,
    last_page   integer,
    starts_at   integer not null,
    ends_at     integer not null,
    unique (content_id, ordinal)
);
create index chunks_passage on chunks (passage_id);
comment on table chunks is 'One row a place of a passage in a content, in reading order.';
comment on column chunks.first_page is 'Page, slide or the like, from 1; null where the format has none.';
comment on column chunks.starts_at is 'First character of the passage''s body in contents.text, from 0.';
comment on column chunks.ends_at is 'The character behind the body''s last in contents.text.';

create table embeddings (
    model_id    bigint not null references models,
    sha256      bytea not null,
    embedding   halfvec not null,
    created_at  timestamptz not null default now(),
    primary key (model_id, sha256)
) partition by list (model_id);
comment on table embeddings is 'One row a text and model, whoever uses it: the text''s vector, of length 1. One partition a model.';

create table query_embeddings (
    model_id   bigint not null references models,
    sha256     bytea not null,
    query      text not null,
    embedding  halfvec not null,
    asked_at   timestamptz not null default now(),
    primary key (model_id, sha256)
);
comment on table query_embeddings is 'One row a query text whose vector is known, so that the same text can be searched in SQL.';
