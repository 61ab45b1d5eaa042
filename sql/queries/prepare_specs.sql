-- The spec of each supervised dataset's newest version, the recipe in use.
select distinct on (d.id) d.name, v.spec
from openbook.datasets d
join openbook.dataset_versions v on v.dataset_id = d.id
where d.kind = 'sft'
order by d.id, v.number desc
