-- One row a passage of a document that the caller may read, in reading order: those up to `reach` places
-- before and behind a chunk.
select c.id as chunk_id, c.ordinal, p.section, c.first_page as page, p.body as text
from (select openbook.my_principals() as mine) as rights
cross join documents d
join sources s on s.id = d.source_id
join collections o on o.id = s.collection_id
join versions v on v.id = d.version_id
join chunks c on c.content_id = v.content_id
join passages p on p.id = c.passage_id
where o.name = %(collection)s and d.id = %(id)s
  and (rights.mine is null
       or d.readers && rights.mine and (v.readers && rights.mine) is not false)
  and c.ordinal between
      (select a.ordinal - %(reach)s::integer from chunks a
       where a.id = %(chunk)s and a.content_id = v.content_id)
      and (select a.ordinal + %(reach)s::integer from chunks a
           where a.id = %(chunk)s and a.content_id = v.content_id)
order by c.ordinal;
