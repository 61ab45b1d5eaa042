select d.path, d.reason, d.remedy, d.attempts, d.next_try_at
from documents d
where d.source_id = %(source)s and d.status = 'rejected'
order by d.path;
