select s.id, s.name, s.root, c.name as collection,
       d.current, d.pending, d.rejected, d.deleted, d.chunks,
       r.id as run_id, r.started_at as last_run, r.outcome, r.error,
       extract(epoch from now() - done.finished_at)::double precision as behind_seconds,
       coalesce(extract(epoch from now() - d.waiting_since), 0)::double precision as lag_seconds
from sources s
join collections c on c.id = s.collection_id
cross join lateral (
    select count(*) filter (where d.status = 'current') as current,
           count(*) filter (where d.status = 'pending') as pending,
           count(*) filter (where d.status = 'rejected') as rejected,
           count(*) filter (where d.status = 'deleted') as deleted,
           min(d.checked_at) filter (where d.status = 'pending') as waiting_since,
           coalesce(sum((select count(*) from versions v join chunks using (content_id)
                         where v.id = d.version_id)), 0)::bigint as chunks
    from documents d
    where d.source_id = s.id) d
left join lateral (
    select * from runs r where r.source_id = s.id order by r.id desc limit 1) r on true
left join lateral (
    select r.finished_at from runs r
    where r.source_id = s.id and r.outcome = 'done' order by r.id desc limit 1) done on true
order by s.name;
