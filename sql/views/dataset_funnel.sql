create or replace view analytics.dataset_funnel with (security_invoker = true) as
select d.name as dataset, v.number as version, f.ordinal, f.step, f.reason, f.examples
from openbook.dataset_funnel f
join openbook.dataset_versions v on v.id = f.version_id
join openbook.datasets d on d.id = v.dataset_id;

comment on view analytics.dataset_funnel is 'One row a reason why examples did not come into a version, in the order of the steps. What the rows of the step source count, less what fell, is what the row kept counts.';
comment on column analytics.dataset_funnel.dataset is 'The name that its spec gives it.';
comment on column analytics.dataset_funnel.version is 'Of the dataset.';
comment on column analytics.dataset_funnel.ordinal is 'The order of the steps, from 1.';
comment on column analytics.dataset_funnel.step is 'source, draft, format, quality, feedback, decontamination, split, duplicates, balance, mix, kept or golden.';
comment on column analytics.dataset_funnel.reason is 'Why they fell; of source, kept and golden, what is counted.';
comment on column analytics.dataset_funnel.examples is 'How many fell, or came from the source, or were kept; of golden, the golden questions beside them.';
