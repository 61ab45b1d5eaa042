select x.id, x.folder, x.host,
       coalesce(x.installation = %(installation)s, x.host = %(host)s) as here
from openbook.dataset_exports x
where x.stale_at is not null
order by x.id
