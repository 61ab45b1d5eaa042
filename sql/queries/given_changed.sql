insert into documents (source_id, path, status, sha256, recipe)
select %(source)s, g.path, 'pending', g.sha256, %(recipe)s
from unnest(%(paths)s::text[], %(sha256s)s::bytea[]) g (path, sha256)
on conflict (source_id, path) do update
set status = 'pending', sha256 = excluded.sha256, recipe = excluded.recipe,
    reason = null, remedy = null, next_try_at = null, attempts = 0, checked_at = now()
where documents.status <> 'current'
   or (documents.sha256, documents.recipe) is distinct from (excluded.sha256, excluded.recipe)
returning id;
