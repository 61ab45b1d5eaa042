select c.id, c.tools, m.ordinal, m.role, m.content, m.tool_calls, m.tool_call_id, m.name, m.weight,
       m.chunk_ids, m.parts is not null
from openbook.messages m
join openbook.conversations c on c.id = m.conversation_id
where m.conversation_id = any (%(ids)s)
order by m.conversation_id, m.ordinal
