select (select count(*) from documents d where d.source_id = r.source_id and d.status = 'pending')
from runs r
where r.outcome = 'running'
order by r.id desc
limit 1;
