-- Texts that readers see without a vector under the serving model.
select p.id, left(p.body, 80)
from passages p
where p.uses > 0
  and not exists (
      select from embeddings e join models m on m.id = e.model_id
      where m.serving and e.sha256 = p.sha256)
order by p.id;
