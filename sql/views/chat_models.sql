create or replace view analytics.chat_models with (security_invoker = true) as
select m.id as model_id, m.task, m.name, m.version, m.stage, m.base, d.name as dataset,
       v.number as dataset_version, r.backend, r.method, m.endpoint_url, m.endpoint_model,
       m.artifact, encode(m.artifact_sha256, 'hex') as artifact_sha256, m.host, m.registered_at,
       m.tainted_at, m.retires_on, p.promoted_at as serving_since
from openbook.chat_models m
left join openbook.training_runs r on r.id = m.training_run_id
left join openbook.dataset_versions v on v.id = m.dataset_version_id
left join openbook.datasets d on d.id = v.dataset_id
left join lateral (
    select max(p.promoted_at) as promoted_at
    from openbook.promotions p
    where p.model_id = m.id and m.stage = 'serving'
) p on true;

comment on view analytics.chat_models is 'One row a version of a model that answers.';
comment on column analytics.chat_models.model_id is 'Its number.';
comment on column analytics.chat_models.task is 'What it is for; of each task one model serves.';
comment on column analytics.chat_models.name is 'What its versions share.';
comment on column analytics.chat_models.version is 'From 1, within the name.';
comment on column analytics.chat_models.stage is 'candidate, serving, retired or tainted.';
comment on column analytics.chat_models.base is 'The model that it was trained from, or is.';
comment on column analytics.chat_models.dataset is 'What it was trained on; null where it was not trained here.';
comment on column analytics.chat_models.dataset_version is 'The version of the dataset.';
comment on column analytics.chat_models.backend is 'local or openai; null where it was not trained here.';
comment on column analytics.chat_models.method is 'sft or dpo; null where it was not trained here.';
comment on column analytics.chat_models.endpoint_url is 'Where it is asked; null: the configured endpoint.';
comment on column analytics.chat_models.endpoint_model is 'What its server calls it; null: not served yet.';
comment on column analytics.chat_models.artifact is 'The folder of a local adapter.';
comment on column analytics.chat_models.artifact_sha256 is 'Of the adapter''s manifest.';
comment on column analytics.chat_models.host is 'The machine that has the folder.';
comment on column analytics.chat_models.registered_at is 'When it came into the registry.';
comment on column analytics.chat_models.tainted_at is 'When something that it was trained on was first forgotten; null: never.';
comment on column analytics.chat_models.retires_on is 'When its provider shuts it down; null: not known.';
comment on column analytics.chat_models.serving_since is 'Of the serving model: when it last came to serve.';
