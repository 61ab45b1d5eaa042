create or replace view analytics.vitals with (security_invoker = true) as
select 'source_behind_seconds' as name, jsonb_build_object('source', f.source) as labels,
       extract(epoch from f.behind)::double precision as value
from analytics.freshness f
union all
select 'source_failed', jsonb_build_object('source', f.source),
       (coalesce(f.last_outcome, '') in ('failed', 'abandoned'))::integer
from analytics.freshness f
union all
select 'documents', jsonb_build_object('source', f.source, 'status', s.status), s.documents
from analytics.freshness f
cross join lateral (
    values ('current', f.current), ('pending', f.pending), ('rejected', f.rejected)
) as s (status, documents)
union all
select 'source_lag_seconds', jsonb_build_object('source', s.name),
       coalesce(extract(epoch from now() - min(d.checked_at)), 0)
from openbook.sources s
left join openbook.documents d on d.source_id = s.id and d.status = 'pending'
group by s.id
union all
select 'runs', jsonb_build_object('source', s.name, 'outcome', r.outcome), count(*)
from openbook.runs r
join openbook.sources s on s.id = r.source_id
group by s.id, r.outcome
union all
select 'usd', jsonb_build_object('for', 'documents'), coalesce(sum(usd), 0) from openbook.runs
union all
select 'usd', jsonb_build_object('for', 'reembedding'), coalesce(sum(usd), 0)
from openbook.reembeddings
union all
select 'usd', jsonb_build_object('for', 'training'), coalesce(sum(usd), 0)
from openbook.training_runs
where state not in ('planned', 'submitting') and job_id is not null
union all
select 'trainings', jsonb_build_object('state', state), count(*)
from openbook.training_runs
group by state
union all
select 'serving_model', jsonb_build_object('task', 'search', 'model', name), 1
from openbook.models
where serving
union all
select 'serving_model', jsonb_build_object('task', task, 'model', name || '@' || version), 1
from openbook.chat_models
where stage = 'serving'
union all
select 'serving_model_retires_in_seconds', jsonb_build_object('task', task),
       extract(epoch from retires_on::timestamp at time zone 'utc' - now())
from openbook.chat_models
where stage = 'serving' and retires_on is not null
union all
select 'serving_model_tainted', jsonb_build_object('task', task), (tainted_at is not null)::integer
from openbook.chat_models
where stage = 'serving'
union all
select 'database_bytes', '{}', pg_database_size(current_database());

comment on view analytics.vitals is 'One row a figure that operators watch, with its labels: what /metrics tells of the book. Documents are those that the login may read.';
comment on column analytics.vitals.name is 'source_behind_seconds: since the last run that succeeded ended, or since the source was registered where none has; source_lag_seconds: since the oldest waiting file was seen, 0 for none; source_failed: 1 when the last run did; documents; runs; usd; trainings; serving_model: 1; serving_model_retires_in_seconds; serving_model_tainted; database_bytes.';
comment on column analytics.vitals.labels is 'What it is of, as a JSON object of texts.';
comment on column analytics.vitals.value is 'The figure.';
