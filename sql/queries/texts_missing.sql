select wanted.sha256
from unnest(%(sha256s)s::bytea[]) as wanted (sha256)
where not exists (
    select
    from embeddings e
    join models m on m.id = e.model_id
    where m.name = %(model)s and e.sha256 = wanted.sha256);
