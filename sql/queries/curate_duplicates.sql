with ranked as (
    select c.ordinal, c.text_sha256, c.cluster, c.conversation_id,
           row_number() over exact as exact_place,
           first_value(c.conversation_id) over exact as exact_kept,
           row_number() over near as near_place,
           first_value(c.conversation_id) over near as near_kept
    from curated c
    where c.step is null
    window exact as (partition by c.text_sha256 order by c.rating desc, c.score desc, c.sha256, c.ordinal),
           near as (partition by c.cluster order by c.rating desc, c.score desc, c.sha256, c.ordinal)
)
update curated c
set step = 'duplicates',
    reason = case when r.exact_place > 1 then 'exact duplicate' else 'near-duplicate' end,
    because_of = case when r.exact_place > 1 then r.exact_kept else r.near_kept end
from ranked r
where r.ordinal = c.ordinal
  and (r.exact_place > 1 and %(exact)s or r.near_place > 1 and r.exact_place = 1 and %(near)s)
