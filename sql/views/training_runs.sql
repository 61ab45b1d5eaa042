create or replace view analytics.training_runs with (security_invoker = true) as
select r.id as training_run_id, r.started_at, r.backend, r.method, r.base,
       d.name as dataset, v.number as dataset_version, r.state, r.job_id, r.usd,
       r.finished_at - r.started_at as duration, r.reason, r.remedy,
       m.name || '@' || m.version as model, r.metrics, r.settings
from openbook.training_runs r
left join openbook.dataset_versions v on v.id = r.dataset_version_id
left join openbook.datasets d on d.id = v.dataset_id
left join openbook.chat_models m on m.training_run_id = r.id;

comment on view analytics.training_runs is 'One row a training.';
comment on column analytics.training_runs.training_run_id is 'Its number.';
comment on column analytics.training_runs.started_at is 'When it was planned, before anything was sent.';
comment on column analytics.training_runs.backend is 'local: a machine of one''s own; openai: a fine-tuning API.';
comment on column analytics.training_runs.method is 'sft or dpo.';
comment on column analytics.training_runs.base is 'The model that it started from.';
comment on column analytics.training_runs.dataset is 'What it was trained on; null once that is deleted.';
comment on column analytics.training_runs.dataset_version is 'The version of the dataset.';
comment on column analytics.training_runs.state is 'planned, submitting, running, succeeded, failed or cancelled.';
comment on column analytics.training_runs.job_id is 'Its name at the backend.';
comment on column analytics.training_runs.usd is 'Its price; null: not known.';
comment on column analytics.training_runs.duration is 'From plan to end; null while it runs.';
comment on column analytics.training_runs.reason is 'Why it failed.';
comment on column analytics.training_runs.remedy is 'What to do about it.';
comment on column analytics.training_runs.model is 'What came of it, name@version.';
comment on column analytics.training_runs.metrics is 'Loss by step, tokens, seconds, what the backend says.';
comment on column analytics.training_runs.settings is 'What it was asked to do.';
