select id, started_at
from runs
where source_id = %(source)s and outcome = 'running'
order by id desc
limit 1;
