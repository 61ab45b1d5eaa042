-- The walk beside the documents: the paths of files that must be read to know whether they changed,
-- whether documents are gone, and whether anything else differs. ctime moves with every write, so
-- bytes exchanged under an equal size and mtime are noticed too.
select coalesce(array_agg(path order by path) filter (where moved), '{}'),
       coalesce(bool_or(gone), false),
       coalesce(bool_or(moved or barred or read_by_others), false)
from (
    select coalesce(w.path, d.path) as path,
           w.problem is null and w.path is not null
           and (d.id is null
                or d.status in ('pending', 'deleted')
                or d.next_try_at <= now()
                or d.recipe is distinct from %(recipe)s
                or w.size_bytes is distinct from d.size_bytes
                or w.mtime_ns is distinct from d.mtime_ns
                or w.ctime_ns is distinct from d.ctime_ns
                or w.inode is distinct from d.inode) as moved,
           w.path is null and d.status <> 'deleted' as gone,
           w.problem is not null
           and (d.status is distinct from 'rejected' or d.reason is distinct from w.problem)
               as barred,
           coalesce(d.readers_due, d.readers)
           <> coalesce(w.readers, (select s.readers from sources s where s.id = %(source)s))
           and w.path is not null as read_by_others
    from walk w
    full join (select * from documents where source_id = %(source)s) d on d.path = w.path) compared
where moved or gone or barred or read_by_others;
