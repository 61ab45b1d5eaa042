-- What there was before anything fell: conversations, and examples beyond the first of each.
select s.reason, s.examples
from (
    select 1 as place, 'conversations looked at' as reason, count(*) as examples
    from chosen where not general
    union all
    select 2, 'general conversations looked at', count(*)
    from chosen where general
    union all
    select 3, 'further examples of one conversation', count(*) - count(distinct conversation_id)
    from drafted) s
where s.place = 1 or s.examples > 0
order by s.place
