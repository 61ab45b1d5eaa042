with about as (
    select a.conversation_id, a.ordinal
    from openbook.answers_about(%(collection)s, %(task)s) a
    where a.counts
)
select count(distinct (v.conversation_id, v.ordinal)) as judged,
       count(distinct (v.conversation_id, v.ordinal)) filter (where not v.good) as failed
from openbook.feedback_verdicts() v
where v.good is not null
  and case when v.ordinal is null
           then v.conversation_id in (select a.conversation_id from about a)
           else (v.conversation_id, v.ordinal) in (select a.conversation_id, a.ordinal from about a) end
