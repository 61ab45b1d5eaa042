-- Which of these contents hold one of these texts, and how the first such text begins.
select distinct on (c.content_id) c.content_id, p.sha256, left(p.body, 60)
from chunks c
join passages p on p.id = c.passage_id
where c.content_id = any (%(contents)s) and p.sha256 = any (%(sha256s)s::bytea[])
order by c.content_id, c.ordinal;
