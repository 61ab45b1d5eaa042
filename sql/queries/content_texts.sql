select p.sha256, p.tokens
from chunks c
join passages p on p.id = c.passage_id
where c.content_id = any (%(contents)s);
