select r.id, r.source_id, s.root, r.model_id
from runs r
join sources s on s.id = r.source_id
where r.id = %(run)s;
