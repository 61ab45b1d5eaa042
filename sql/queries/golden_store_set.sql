insert into golden_sets (name, collection_id)
select %(name)s, c.id
from collections c
where c.name = %(collection)s
on conflict (name) do update set collection_id = excluded.collection_id
returning id;
