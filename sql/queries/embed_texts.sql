select distinct on (p.sha256) p.sha256, concat_ws(E'\n', p.title, p.section, p.context, p.body)
from passages p
where p.sha256 = any (%(sha256s)s)
  and (select true from embeddings e
       where e.model_id = %(model)s and e.sha256 = p.sha256) is null
order by p.sha256;
