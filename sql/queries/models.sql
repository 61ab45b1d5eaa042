select m.name, m.dimensions, m.serving, count(e.sha256) as covered, count(*) as texts
from models m
left join (select distinct sha256 from passages where uses > 0) p on true
left join embeddings e on e.model_id = m.id and e.sha256 = p.sha256
group by m.id
order by m.id;
