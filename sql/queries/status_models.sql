select m.name, m.dimensions, m.serving,
       (select count(*) from embeddings e where e.model_id = m.id) as embeddings
from models m
order by m.id;
