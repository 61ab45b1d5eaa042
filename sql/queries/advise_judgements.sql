select count(distinct (f.conversation_id, f.ordinal)) as judged,
       count(distinct (f.conversation_id, f.ordinal)) filter (
           where f.kind in ('correction', 'regeneration') or f.value < 0) as failed
from openbook.feedback f
where f.kind <> 'score'
