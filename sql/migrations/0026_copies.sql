-- Copies of what is forgotten: golden questions in versions of datasets, passages in examples, and
-- exported files wherever they lie.

create table golden_origins (
    conversation_id  bigint not null,
    sha256           bytea not null,
    primary key (conversation_id, sha256)
);
comment on table golden_origins is 'One row a conversation and a golden question that was taken from it, kept until the conversation is forgotten, whatever becomes of the question.';
comment on column golden_origins.sha256 is 'Of the example that asks the question in versions of datasets.';
insert into golden_origins (conversation_id, sha256)
select distinct q.conversation_id,
       sha256(convert_to(
           '{"messages":[{"role":"user","content":' || to_json(q.question)::text || '}]}', 'UTF8'))
from golden_questions q
where q.conversation_id is not null;

alter table examples add column document_ids bigint[] not null default '{}';
comment on column examples.document_ids is 'Of documents: those whose passages it shows word for word.';
update examples e
set document_ids = array(
    select distinct v.document_id
    from chunks k
    join versions v on v.content_id = k.content_id
    where k.id = any (e.chunk_ids))
where e.recipe like 'raft-%';
create index examples_documents on examples using gin (document_ids) where document_ids <> '{}';

alter table dataset_exports
    add column installation text,
    drop constraint dataset_exports_version_id_host_folder_key,
    add unique (version_id, installation, folder);
comment on column dataset_exports.host is 'The name of the machine whose folder it is, as it was called then.';
comment on column dataset_exports.installation is 'The id that is kept in OPENBOOK_HOME there; null: exported before there were such ids.';
comment on column dataset_versions.tainted_at is 'When something that it held was first forgotten, a conversation or a document; null: never.';
