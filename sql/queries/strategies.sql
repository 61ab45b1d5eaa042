-- One row a collection, or that one: what its questions are answered from.
select c.name as collection, c.strategy
from collections c
where c.name = %(collection)s or %(collection)s::text is null
order by c.name;
