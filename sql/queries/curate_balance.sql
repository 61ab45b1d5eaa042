with tag_places as (
    select t.ordinal, max(t.place) as place
    from (
        select c.ordinal, row_number() over (
                   partition by tag order by c.rating desc, c.score desc, c.sha256, c.ordinal) as place
        from curated c
        cross join unnest(c.tags) as tag
        where c.step is null and c.split = 'train' and not c.general) t
    group by t.ordinal
), placed as (
    select c.ordinal,
           case when c.user_pseudonym is not null then row_number() over (
               partition by c.user_pseudonym order by c.rating desc, c.score desc, c.sha256, c.ordinal)
           end as of_user,
           t.place as of_tag
    from curated c
    left join tag_places t on t.ordinal = c.ordinal
    where c.step is null and c.split = 'train' and not c.general
)
update curated c
set step = 'balance',
    reason = case when p.of_user > %(per_user)s::integer then 'enough of this user' else 'enough of this tag' end
from placed p
where p.ordinal = c.ordinal
  and (p.of_user > %(per_user)s::integer or p.of_tag > %(per_tag)s::integer)
