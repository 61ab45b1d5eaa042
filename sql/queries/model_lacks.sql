select p.id, p.sha256
from passages p
where p.id > %(after)s
  and p.uses > 0
  and not exists (
      select from embeddings e where e.model_id = %(model)s and e.sha256 = p.sha256)
order by p.id
limit %(size)s;
