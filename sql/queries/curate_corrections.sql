select f.conversation_id, f.ordinal, f.alternative
from openbook.feedback f
where f.kind = 'correction' and f.ordinal is not null and f.conversation_id = any (%(ids)s)
order by f.id
