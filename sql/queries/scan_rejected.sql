-- What cannot be read at all (links, pipes, missing rights) is looked at again in every walk; a
-- document that was readable before keeps its last good version.
insert into documents as d (source_id, path, status, reason, remedy, recipe)
select %(source)s, seen.path, 'rejected', seen.problem, seen.remedy, %(recipe)s
from (
    select path, problem, remedy from walk where problem is not null
    union all
    select path, problem, remedy from hashed where problem is not null) seen
on conflict (source_id, path) do update
set status = 'rejected', reason = excluded.reason, remedy = excluded.remedy, sha256 = null,
    size_bytes = null, mtime_ns = null, ctime_ns = null, inode = null, next_try_at = null,
    checked_at = now()
where d.status <> 'rejected' or d.reason is distinct from excluded.reason;
