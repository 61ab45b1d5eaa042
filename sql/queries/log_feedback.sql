-- Feedback on the answer with that response id, else on the newest conversation of that id.
with about as (
    (select m.conversation_id, m.ordinal
     from openbook.messages m
     where m.external_id = %(of)s
     order by m.conversation_id desc
     limit 1)
    union all
    (select c.id, null
     from openbook.conversations c
     where c.external_id = %(of)s
     order by c.id desc
     limit 1)
    limit 1)
insert into openbook.feedback (
    conversation_id, ordinal, kind, value, comment, alternative, source)
select about.conversation_id, about.ordinal, %(kind)s, %(value)s, %(comment)s, %(alternative)s,
       %(source)s
from about;
