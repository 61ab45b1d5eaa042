-- Files that moved in time alone: the same bytes, already answered.
update documents d
set size_bytes = h.size_bytes, mtime_ns = h.mtime_ns, ctime_ns = h.ctime_ns, inode = h.inode,
    checked_at = now()
from hashed h
where d.source_id = %(source)s
  and d.path = h.path
  and h.problem is null
  and d.sha256 = h.sha256
  and d.recipe = %(recipe)s
  and (d.status = 'current' or d.status = 'rejected' and (d.next_try_at > now()) is not false);
