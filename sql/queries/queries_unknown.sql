select u.query
from unnest(%(queries)s::text[]) with ordinality u (query, ordinal)
where not exists (
    select from query_embeddings q
    join models m on m.id = q.model_id
    where m.name = %(model)s and q.sha256 = sha256(convert_to(u.query, 'UTF8')))
order by u.ordinal;
