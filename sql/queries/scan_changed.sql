-- Known paths with other bytes, a due retry, another recipe, or back from deletion: to be read.
update documents d
set status = 'pending',
    attempts = case when d.sha256 = h.sha256 and d.recipe = %(recipe)s then d.attempts else 0 end,
    sha256 = h.sha256, recipe = %(recipe)s, reason = null, remedy = null, next_try_at = null,
    size_bytes = h.size_bytes, mtime_ns = h.mtime_ns, ctime_ns = h.ctime_ns, inode = h.inode,
    checked_at = now()
from hashed h
where d.source_id = %(source)s
  and d.path = h.path
  and h.problem is null
  and not (d.sha256 = h.sha256
           and d.recipe = %(recipe)s
           and (d.status = 'current'
                or d.status = 'rejected' and (d.next_try_at > now()) is not false));
