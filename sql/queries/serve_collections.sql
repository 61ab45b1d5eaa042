-- One row a collection that the caller may know of, with its documents by what became of them.
select c.name,
       coalesce(extract(epoch from min(s.created_at)), 0)::bigint as created_at,
       count(*) filter (where d.version_id is not null) as completed,
       count(*) filter (where d.version_id is null and d.status = 'rejected') as failed,
       count(*) filter (where d.version_id is null and d.status = 'pending') as in_progress,
       coalesce(sum(d.size_bytes) filter (where d.version_id is not null), 0)::bigint as bytes
from collections c
left join sources s on s.collection_id = c.id
left join documents d on d.source_id = s.id
where %(collections)s::text[] is null or c.name = any (%(collections)s)
group by c.id
order by c.name;
