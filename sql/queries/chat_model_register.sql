-- Who forgets something of the version waits for this row, or is waited for.
with version as (
    select v.id, v.tainted_at from openbook.dataset_versions v
    where v.id = %(dataset_version_id)s
    for share
), known as (
    select m.id from openbook.chat_models m where m.training_run_id = %(training_run_id)s
), made as (
    insert into openbook.chat_models (
        task, name, version, training_run_id, dataset_version_id, base, base_sha256, endpoint_url,
        endpoint_model, artifact, artifact_sha256, host, settings, retires_on, tainted_at, stage)
    select %(task)s, %(name)s,
           (select coalesce(max(m.version), 0) + 1
            from openbook.chat_models m
            where m.task = %(task)s and m.name = %(name)s),
           %(training_run_id)s, (select id from version), %(base)s, %(base_sha256)s::bytea,
           %(endpoint_url)s, %(endpoint_model)s, %(artifact)s, %(artifact_sha256)s::bytea, %(host)s,
           %(settings)s::jsonb, %(retires_on)s::date, v.tainted_at,
           case when v.tainted_at is null then 'candidate' else 'tainted' end
    from (select max(tainted_at) as tainted_at from version) v
    where not exists (select from known)
    returning id
)
select id from made union all select id from known
