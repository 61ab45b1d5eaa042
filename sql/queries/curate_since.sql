with newest as (
    select v.number, v.created_at
    from openbook.dataset_versions v
    join openbook.datasets d on d.id = v.dataset_id
    where d.name = %(name)s
    order by v.number desc
    limit 1
)
select n.number as version,
       coalesce(extract(epoch from now() - n.created_at) / 3600, 0)::double precision as age_hours,
       (select count(*)
        from chosen s
        join openbook.conversations c on c.id = s.conversation_id
        where c.changed_at > n.created_at) as new,
       (select count(*)
        from openbook.feedback f
        join chosen s on s.conversation_id = f.conversation_id
        where f.given_at > n.created_at and f.kind in ('thumb', 'implicit')) as judged,
       (select count(*)
        from openbook.feedback f
        join chosen s on s.conversation_id = f.conversation_id
        where f.given_at > n.created_at and f.kind in ('thumb', 'implicit') and f.value < 0) as negative
from (select) one
left join newest n on true
