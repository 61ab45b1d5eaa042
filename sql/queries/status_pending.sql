-- Files that wait to be read, the first of them: there may be as many as a folder holds.
select s.name as source, d.path, d.version_id is not null as searchable, d.checked_at as since
from documents d
join sources s on s.id = d.source_id
where d.status = 'pending'
order by s.name, d.path
limit %(limit)s;
