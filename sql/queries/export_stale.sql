select x.id, x.folder
from openbook.dataset_exports x
where x.host = %(host)s and x.stale_at is not null
order by x.id
