select r.id as run_id, s.name as source, r.source_id, r.outcome,
       r.seen, r.new, r.changed, r.unchanged, r.renamed, r.deleted,
       (select count(*) from documents d
        where d.source_id = r.source_id and d.status = 'pending') as pending,
       r.chunks, r.embedded, greatest(0, r.chunks - r.embedded) as reused,
       r.tokens, r.usd::float8 as usd,
       extract(epoch from coalesce(r.finished_at, clock_timestamp()) - r.started_at)::float8
           as seconds
from runs r
join sources s on s.id = r.source_id
where r.id = %(run)s;
