-- Who may read what. A document says who its readers are; a login says whom it stands for.
--
-- Readers and principals are names of users and groups, whatever the organisation calls them, such
-- as 'ana' and 'group:finance'; 'public' is everybody. Whom a session stands for is decided by the
-- login that opened it: see sql/functions/rights.sql.

alter table sources add column readers text[] not null default '{}'
    check (array_position(readers, null) is null);
comment on column sources.readers is 'Who reads its documents where no sidecar file in the folder says otherwise; empty: nobody but the owner.';

alter table documents
    add column readers text[] not null default '{}' check (array_position(readers, null) is null),
    add column readers_due text[] check (array_position(readers_due, null) is null);
create index documents_readers on documents using gin (readers);
comment on column documents.readers is 'Who reads it: users, groups, or public; empty: nobody but the owner.';
comment on column documents.readers_due is 'Who will read it once its new content is published; null: no change waits. Until then only those who also may read the old content read that.';

alter table versions add column readers text[] check (array_position(readers, null) is null);
comment on column versions.readers is 'Who read the document when the version ended; the past is shown to those of them alone who may read the document now. Null while it is current.';

create table principals (
    login      name not null,
    principal  text not null check (principal <> ''),
    primary key (login, principal)
);
comment on table principals is 'One row a login and a user or group for whom it stands. Every login stands for public too.';
comment on column principals.login is 'The role that opens the session, which no session can change.';

create table confinements (
    login          name not null,
    collection_id  bigint not null references collections,
    primary key (login, collection_id)
);
comment on table confinements is 'One row a login and a collection that it is confined to; a login without a row may use every collection.';

-- A query is what somebody wanted to know, and its vector what somebody said it was.
alter table query_embeddings
    add column login name not null default session_user,
    drop constraint query_embeddings_pkey,
    add primary key (login, model_id, sha256);
comment on table query_embeddings is 'One row a login and a query text that it has searched for: the text''s vector, so that the same text can be searched in SQL.';
comment on column query_embeddings.login is 'Who asked; nobody else learns of it or uses it.';
