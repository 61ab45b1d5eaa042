select c.conversation_id, c.state
from chosen c
where not exists (
    select from openbook.examples e
    where e.conversation_id = c.conversation_id and e.recipe = %(recipe)s and e.state = c.state)
order by 1
