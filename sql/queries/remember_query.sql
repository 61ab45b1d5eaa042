insert into query_embeddings (model_id, sha256, query, embedding)
select m.id, sha256(convert_to(%(query)s, 'UTF8')), %(query)s, %(embedding)s
from models m
where m.serving and m.name = %(model)s
on conflict do nothing;
