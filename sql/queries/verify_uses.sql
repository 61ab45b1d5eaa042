-- Passages whose count of uses is not what the current documents say.
select p.id, left(p.body, 80)
from passages p
left join (
    select k.passage_id, count(*) as uses
    from documents d
    join versions v on v.id = d.version_id
    join chunks k on k.content_id = v.content_id
    group by k.passage_id) counted on counted.passage_id = p.id
where p.uses <> coalesce(counted.uses, 0)
order by p.id;
