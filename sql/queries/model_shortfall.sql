select count(*) as texts, coalesce(sum(p.tokens), 0)::bigint as tokens
from (select distinct on (sha256) sha256, tokens from passages where uses > 0 order by sha256) p
where not exists (
    select
    from embeddings e
    join models m on m.id = e.model_id
    where m.name = %(model)s and e.sha256 = p.sha256);
