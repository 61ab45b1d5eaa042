-- A document whose path is gone and whose bytes are found under a new path has moved there. Equal
-- files are paired in the order of their paths; a file with another suffix is another format.
with missing as (
    select d.id, d.sha256, substring(d.path from '[.][^./]*$') as suffix,
           row_number() over (partition by d.sha256, substring(d.path from '[.][^./]*$')
                              order by d.path) as place
    from documents d
    where d.source_id = %(source)s
      and d.status = 'current'
      and not exists (select from walk w where w.path = d.path)
      and not exists (select from walk w where w.is_folder and starts_with(d.path, w.path || '/'))
), found as (
    select h.*, substring(h.path from '[.][^./]*$') as suffix,
           row_number() over (partition by h.sha256, substring(h.path from '[.][^./]*$')
                              order by h.path) as place
    from hashed h
    where h.problem is null
      and not exists (select from documents d where d.source_id = %(source)s and d.path = h.path)
)
update documents d
set path = f.path, size_bytes = f.size_bytes, mtime_ns = f.mtime_ns, ctime_ns = f.ctime_ns,
    inode = f.inode, checked_at = now()
from missing m
join found f on f.sha256 = m.sha256 and f.place = m.place and f.suffix is not distinct from m.suffix
where d.id = m.id;
