-- A training that an earlier cycle began, and neither lost nor gave up, is carried on; what it may
-- cost is no part of what is trained.
with known as (
    select r.id
    from openbook.training_runs r
    where r.backend = %(backend)s and r.method = %(method)s and r.dataset_sha256 = %(sha256)s
      and r.base = %(base)s and r.state in ('submitting', 'running', 'succeeded')
      and r.settings - array['max_usd', 'usd_per_million_tokens']
          = %(settings)s::jsonb - array['max_usd', 'usd_per_million_tokens']
      and not exists (select from openbook.chat_models m where m.training_run_id = r.id)
    order by r.id desc
    limit 1
), planned as (
    insert into openbook.training_runs (
        run_key, backend, method, dataset_version_id, dataset_sha256, base, settings)
    select 'retrain-' || gen_random_uuid(), %(backend)s, %(method)s, %(version)s::bigint, %(sha256)s,
           %(base)s, %(settings)s
    where not exists (select from known)
    returning id
)
select id from known union all select id from planned
