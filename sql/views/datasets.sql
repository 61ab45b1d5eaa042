create or replace view analytics.datasets with (security_invoker = true) as
select d.name as dataset, d.kind, v.number as version, v.created_at,
       encode(v.content_sha256, 'hex') as content_sha256, v.examples,
       coalesce(s.train, 0) as train, coalesce(s.validation, 0) as validation,
       coalesce(s.test, 0) as test, coalesce(s.golden, 0) as golden,
       v.tokens, v.tokenizer, v.tokens_exact, v.model, v.epochs, v.usd, v.price_as_of,
       v.tainted_at, v.forgotten_examples, v.code_version
from openbook.dataset_versions v
join openbook.datasets d on d.id = v.dataset_id
left join lateral (
    select count(*) filter (where e.split = 'train') as train,
           count(*) filter (where e.split = 'validation') as validation,
           count(*) filter (where e.split = 'test') as test,
           count(*) filter (where e.split = 'golden') as golden
    from openbook.dataset_examples e
    where e.version_id = v.id
) s on true;

comment on view analytics.datasets is 'One row a version of a dataset.';
comment on column analytics.datasets.dataset is 'The name that its spec gives it.';
comment on column analytics.datasets.kind is 'sft, preference or raft.';
comment on column analytics.datasets.version is 'From 1, within the dataset.';
comment on column analytics.datasets.created_at is 'When it was made; it has not changed since.';
comment on column analytics.datasets.content_sha256 is 'Of its examples and their splits: equal for equal contents.';
comment on column analytics.datasets.examples is 'How many it was made with, golden questions left out.';
comment on column analytics.datasets.train is 'Examples to train on that are still there.';
comment on column analytics.datasets.validation is 'Examples to watch the training with that are still there.';
comment on column analytics.datasets.test is 'Examples to measure the model with that are still there.';
comment on column analytics.datasets.golden is 'Golden questions, which never train.';
comment on column analytics.datasets.tokens is 'Of the training split, once.';
comment on column analytics.datasets.tokenizer is 'Whose tokens they are.';
comment on column analytics.datasets.tokens_exact is 'False: another model''s tokenizer stood in, an estimate.';
comment on column analytics.datasets.model is 'The model that it is meant for.';
comment on column analytics.datasets.epochs is 'Passes that the price is for.';
comment on column analytics.datasets.usd is 'What training would cost; null where no price is known.';
comment on column analytics.datasets.price_as_of is 'The date of the price list; null where the spec gave the price.';
comment on column analytics.datasets.tainted_at is 'When something that it held was first forgotten, a conversation or a document; null: never.';
comment on column analytics.datasets.forgotten_examples is 'How many of its examples are gone since.';
comment on column analytics.datasets.code_version is 'Of Openbook and of its examples.';
