-- Documents that are no longer given: readers stop seeing them; their versions stay as history.
with gone as (
    select d.id, d.version_id
    from documents d
    where d.source_id = %(source)s and d.status <> 'deleted'
      and not exists (select from unnest(%(paths)s::text[]) g (path) where g.path = d.path)
    for update
), closed as (
    update versions v set valid_to = now() from gone where v.id = gone.version_id
)
update documents d
set status = 'deleted', version_id = null, reason = null, remedy = null, next_try_at = null,
    attempts = 0, checked_at = now()
from gone
where d.id = gone.id;
