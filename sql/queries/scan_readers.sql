-- Who may read what the walk saw. Where new content waits to be published, its readers may not be
-- meant to read the old one: until then only those read it whom both are meant for.
update documents d
set readers = case when wanted.waits
                   then array(select unnest(d.readers) intersect select unnest(wanted.readers))
                   else wanted.readers end,
    readers_due = case when wanted.waits then wanted.readers end
from (
    select d.id, coalesce(w.readers, s.readers) as readers,
           d.status <> 'current' and d.version_id is not null as waits
    from walk w
    join documents d on d.source_id = %(source)s and d.path = w.path
    join sources s on s.id = d.source_id) wanted
where d.id = wanted.id
  and coalesce(d.readers_due, d.readers) <> wanted.readers;
