with newest as (
    select v.id, v.number, v.created_at
    from openbook.dataset_versions v
    join openbook.datasets d on d.id = v.dataset_id
    where d.name = %(name)s
    order by v.number desc
    limit 1
), looked_at as (
    select e.conversation_id
    from newest n
    join openbook.dataset_examples l on l.version_id = n.id
    join openbook.examples e on e.id = l.example_id
    union
    select x.conversation_id
    from newest n
    join openbook.dataset_exclusions x on x.version_id = n.id
), since as (
    select f.conversation_id, f.kind, f.value
    from newest n
    join openbook.feedback f on f.stored_at > n.created_at
    join chosen s on s.conversation_id = f.conversation_id and not s.general
)
select n.number as version,
       coalesce(extract(epoch from now() - n.created_at) / 3600, 0)::double precision as age_hours,
       (select count(*)
        from chosen s
        join openbook.conversations c on c.id = s.conversation_id
        where not s.general
          and (c.changed_at > n.created_at
               or s.conversation_id not in (
                   select l.conversation_id from looked_at l where l.conversation_id is not null)
               or s.conversation_id in (
                   select f.conversation_id from since f where f.kind = any (%(made_of)s)))) as new,
       count(f.value) filter (where f.kind in ('thumb', 'implicit')) as judged,
       count(f.value) filter (where f.kind in ('thumb', 'implicit') and f.value < 0) as negative
from (select) one
left join newest n on true
left join since f on true
group by n.number, n.created_at
