create or replace view analytics.freshness with (security_invoker = true) as
select s.name as source, c.name as collection, done.finished_at as in_step_at,
       now() - coalesce(done.finished_at, s.created_at) as behind, last.outcome as last_outcome,
       last.started_at as last_started_at,
       count(d.id) filter (where d.status = 'current') as current,
       count(d.id) filter (where d.status = 'pending') as pending,
       count(d.id) filter (where d.status = 'rejected') as rejected,
       count(d.id) filter (where d.status = 'rejected' and d.version_id is not null) as outdated
from openbook.sources s
join openbook.collections c on c.id = s.collection_id
left join lateral (
    select r.finished_at
    from openbook.runs r
    where r.source_id = s.id and r.outcome = 'done'
    order by r.id desc
    limit 1) done on true
left join lateral (
    select r.outcome, r.started_at
    from openbook.runs r
    where r.source_id = s.id
    order by r.id desc
    limit 1) last on true
left join openbook.documents d on d.source_id = s.id
group by s.id, c.id, done.finished_at, last.outcome, last.started_at;

comment on view analytics.freshness is 'One row a source: how far it is behind its folder. Documents are those that the login may read.';
comment on column analytics.freshness.source is 'The watched folder''s name.';
comment on column analytics.freshness.collection is 'The documents that are searched together.';
comment on column analytics.freshness.in_step_at is 'When the last run that succeeded ended; null: none has.';
comment on column analytics.freshness.behind is 'The time since then; where no run has succeeded, since the source was registered.';
comment on column analytics.freshness.last_outcome is 'Of the last run: running, done, failed or abandoned.';
comment on column analytics.freshness.last_started_at is 'When the last run began.';
comment on column analytics.freshness.current is 'Documents whose readers see the file as it is.';
comment on column analytics.freshness.pending is 'Documents that wait to be read.';
comment on column analytics.freshness.rejected is 'Documents whose file could not be used; see analytics.ingest_failures.';
comment on column analytics.freshness.outdated is 'Those of the rejected whose readers see an older version.';
