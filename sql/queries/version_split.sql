select v.number, v.spec -> 'split'
from openbook.dataset_versions v
join openbook.datasets d on d.id = v.dataset_id
where d.name = %(name)s
order by v.number desc
limit 1
