-- Of the documents that readers see, how many the walk did not find, and how many there are.
select count(*) filter (
           where not exists (select from walk w where w.path = d.path)
             and not exists (
                 select from walk w where w.is_folder and starts_with(d.path, w.path || '/'))),
       count(*)
from documents d
where d.source_id = %(source)s and d.version_id is not null;
