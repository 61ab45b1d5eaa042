create or replace view analytics.dataset_lineage with (security_invoker = true) as
select d.name as dataset, v.number as version, x.split, encode(e.sha256, 'hex') as sha256,
       e.conversation_id, e.ordinals, e.rejected_id as rejected_conversation_id, e.chunk_ids,
       e.tokens, e.language, e.personal, e.recipe
from openbook.dataset_examples x
join openbook.examples e on e.id = x.example_id
join openbook.dataset_versions v on v.id = x.version_id
join openbook.datasets d on d.id = v.dataset_id;

comment on view analytics.dataset_lineage is 'One row an example of a version, with what it was made of.';
comment on column analytics.dataset_lineage.dataset is 'The name that its spec gives it.';
comment on column analytics.dataset_lineage.version is 'Of the dataset.';
comment on column analytics.dataset_lineage.split is 'train, validation, test or golden.';
comment on column analytics.dataset_lineage.sha256 is 'Of the example''s line in the exported file.';
comment on column analytics.dataset_lineage.conversation_id is 'Where it comes from; null for a golden question.';
comment on column analytics.dataset_lineage.ordinals is 'Which messages of the conversation it holds.';
comment on column analytics.dataset_lineage.rejected_conversation_id is 'Of a preference pair from two conversations: where the worse answer comes from.';
comment on column analytics.dataset_lineage.chunk_ids is 'Passages that were retrieved for its answers, or that it shows.';
comment on column analytics.dataset_lineage.tokens is 'As its recipe''s tokenizer counts.';
comment on column analytics.dataset_lineage.language is 'ISO 639-1; null where too little tells.';
comment on column analytics.dataset_lineage.personal is 'How many texts of each class of personal data were replaced.';
comment on column analytics.dataset_lineage.recipe is 'How it was made.';
