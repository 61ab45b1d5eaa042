-- Who forgets something that the model learned, by itself or through its base, changes one of these
-- versions: waits for its row, or is waited for.
with recursive origins as (
    select p.id, p.base, p.training_run_id, p.base_artifacts, p.dataset_version_id, p.tainted_at
    from openbook.made_from(%(base)s, %(training_run_id)s, %(base_artifacts)s::bytea[]) p
    union
    select p.id, p.base, p.training_run_id, p.base_artifacts, p.dataset_version_id, p.tainted_at
    from origins o
    cross join lateral openbook.made_from(o.base, o.training_run_id, o.base_artifacts) p
), learned as (
    select v.id, v.tainted_at
    from openbook.dataset_versions v
    where v.id = %(dataset_version_id)s or v.id in (select o.dataset_version_id from origins o)
    for share
), taint as (
    select min(t.tainted_at) as tainted_at
    from (select tainted_at from learned union all select tainted_at from origins) t
), known as (
    select m.id from openbook.chat_models m where m.training_run_id = %(training_run_id)s
), made as (
    insert into openbook.chat_models (
        task, name, version, training_run_id, dataset_version_id, base, base_sha256, base_artifacts,
        endpoint_url, endpoint_model, artifact, artifact_sha256, host, settings, retires_on,
        tainted_at, stage)
    select %(task)s, %(name)s,
           (select coalesce(max(m.version), 0) + 1
            from openbook.chat_models m
            where m.task = %(task)s and m.name = %(name)s),
           %(training_run_id)s, (select l.id from learned l where l.id = %(dataset_version_id)s),
           %(base)s, %(base_sha256)s::bytea, %(base_artifacts)s::bytea[], %(endpoint_url)s,
           %(endpoint_model)s, %(artifact)s, %(artifact_sha256)s::bytea, %(host)s,
           %(settings)s::jsonb, %(retires_on)s::date, t.tainted_at,
           case when t.tainted_at is null then 'candidate' else 'tainted' end
    from taint t
    where not exists (select from known)
    returning id
)
select id from made union all select id from known
