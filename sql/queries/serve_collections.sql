-- One row a collection that the caller may know of, with the documents that it may read by what became
-- of them. A login that reads everything is kept to the principals for whom it asks, here as in search.
select c.name,
       coalesce(extract(epoch from min(s.created_at)), 0)::bigint as created_at,
       count(*) filter (where d.version_id is not null) as completed,
       count(*) filter (where d.version_id is null and d.status = 'rejected') as failed,
       count(*) filter (where d.version_id is null and d.status = 'pending') as in_progress,
       coalesce(sum(d.size_bytes) filter (where d.version_id is not null), 0)::bigint as bytes
from (select openbook.my_principals() as mine) as rights
cross join collections c
left join sources s on s.collection_id = c.id
left join documents d on d.source_id = s.id and (rights.mine is null or d.readers && rights.mine)
where c.id in (select openbook.my_collections())
  and (%(collections)s::text[] is null or c.name = any (%(collections)s))
group by c.id
order by c.name;
