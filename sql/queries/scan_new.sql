-- Paths never seen before.
insert into documents (source_id, path, status, sha256, recipe,
                       size_bytes, mtime_ns, ctime_ns, inode)
select %(source)s, h.path, 'pending', h.sha256, %(recipe)s,
       h.size_bytes, h.mtime_ns, h.ctime_ns, h.inode
from hashed h
where h.problem is null
on conflict (source_id, path) do nothing;
