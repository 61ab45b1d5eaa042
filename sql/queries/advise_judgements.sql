with about as (
    select a.conversation_id, a.ordinal
    from openbook.answers_about(%(collection)s, %(task)s) a
    where a.counts
)
select count(distinct (f.conversation_id, f.ordinal)) as judged,
       count(distinct (f.conversation_id, f.ordinal)) filter (
           where f.kind in ('correction', 'regeneration') or f.value < 0) as failed
from openbook.feedback f
where f.kind <> 'score'
  and (f.conversation_id, f.ordinal) in (select a.conversation_id, a.ordinal from about a)
   or f.kind <> 'score' and f.ordinal is null
  and f.conversation_id in (select a.conversation_id from about a)
