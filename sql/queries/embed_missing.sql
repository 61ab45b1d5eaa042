-- Texts of these contents without a vector under the model, in reading order of their first use.
select p.sha256
from chunks c
join passages p on p.id = c.passage_id
where c.content_id = any (%(contents)s)
  and (select true from embeddings e
       where e.model_id = %(model)s and e.sha256 = p.sha256) is null
group by p.sha256
order by min(c.id);
