select s.id, s.name, s.root, c.name as collection, s.language::text as language
from sources s
join collections c on c.id = s.collection_id
order by s.name;
