-- The source of that folder, or one that overlaps it.
select s.id, s.name, s.root, c.name as collection, s.language::text as language, s.readers
from sources s
join collections c on c.id = s.collection_id
where s.root = %(root)s
   or starts_with(s.root, rtrim(%(root)s, '/') || '/')
   or starts_with(%(root)s, rtrim(s.root, '/') || '/')
order by s.root = %(root)s desc, s.root
limit 1;
