-- Files that are gone: readers stop seeing them; their versions stay as history. Nothing is known
-- of files below a folder that could not be listed.
with gone as (
    select d.id, d.version_id, d.readers
    from documents d
    where d.source_id = %(source)s
      and d.status <> 'deleted'
      and not exists (select from walk w where w.path = d.path)
      and not exists (select from walk w where w.is_folder and starts_with(d.path, w.path || '/'))
    for update
), closed as (
    update versions v set valid_to = now(), readers = gone.readers from gone where v.id = gone.version_id
)
update documents d
set status = 'deleted', version_id = null, reason = null, remedy = null, next_try_at = null,
    attempts = 0, checked_at = now()
from gone
where d.id = gone.id;
