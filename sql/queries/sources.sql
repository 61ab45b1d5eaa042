-- Documents that a program gives come from no folder, and are not kept in step with one.
select s.id, s.name, s.root, c.name as collection, s.language::text as language, s.readers
from sources s
join collections c on c.id = s.collection_id
where starts_with(s.root, '/')
order by s.name;
