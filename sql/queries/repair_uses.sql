update passages p
set uses = counted.uses
from (
    select q.id, count(d.id) as uses
    from passages q
    left join chunks k on k.passage_id = q.id
    left join versions v on v.content_id = k.content_id
    left join documents d on d.version_id = v.id
    group by q.id) counted
where counted.id = p.id and counted.uses <> p.uses;
