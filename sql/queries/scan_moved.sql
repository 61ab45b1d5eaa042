-- Files that must be read to know whether they changed. ctime moves with every write, so bytes
-- exchanged under an equal size and mtime are noticed too.
select w.path
from walk w
left join documents d on d.source_id = %(source)s and d.path = w.path
where w.problem is null
  and (d.id is null
       or d.status in ('pending', 'deleted')
       or d.next_try_at <= now()
       or d.recipe is distinct from %(recipe)s
       or w.size_bytes is distinct from d.size_bytes
       or w.mtime_ns is distinct from d.mtime_ns
       or w.ctime_ns is distinct from d.ctime_ns
       or w.inode is distinct from d.inode)
order by w.path;
