select s.name as source, d.path, d.reason, d.remedy, d.attempts, d.next_try_at,
       d.version_id is not null as searchable
from documents d
join sources s on s.id = d.source_id
where d.status = 'rejected'
order by s.name, d.path;
