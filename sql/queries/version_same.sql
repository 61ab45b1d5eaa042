select v.id, v.number
from openbook.dataset_versions v
join openbook.datasets d on d.id = v.dataset_id
where d.name = %(name)s and v.content_sha256 = %(content_sha256)s and v.spec_sha256 = %(spec_sha256)s
  and v.tainted_at is null
  and v.number = (select max(l.number) from openbook.dataset_versions l where l.dataset_id = d.id)
