-- One row a document of a collection that the caller may read, in the order of their ids: those with
-- the given ids, or those of a status behind the id `after`.
select d.id, s.name as source, d.path, s.root, n.format, n.title,
       coalesce(n.metadata, '{}') as metadata,
       coalesce(d.size_bytes, 0) as bytes,
       extract(epoch from coalesce(v.valid_from, d.first_seen_at))::bigint as created_at,
       told.status,
       d.reason, d.remedy
from (select openbook.my_principals() as mine) as rights
cross join documents d
join sources s on s.id = d.source_id
join collections c on c.id = s.collection_id
left join versions v on v.id = d.version_id
left join contents n on n.id = v.content_id
cross join lateral (
    select case when v.id is not null then 'completed'
                when d.status = 'rejected' then 'failed' else 'in_progress' end as status) told
where c.name = %(collection)s
  and (rights.mine is null
       or d.readers && rights.mine and (v.readers && rights.mine) is not false)
  and (%(ids)s::bigint[] is null or d.id = any (%(ids)s))
  and (v.id is not null or d.status in ('pending', 'rejected'))
  and (%(status)s::text is null or told.status = %(status)s)
  and (%(after)s::bigint is null
       or case when %(descending)s then d.id < %(after)s else d.id > %(after)s end)
order by case when %(descending)s then -d.id else d.id end
limit %(limit)s;
