-- Texts that readers see without a vector under the serving model, or with one that no search can
-- compare: a cosine index never finds a vector of zeros.
select p.id, left(p.body, 80)
from passages p
join models m on m.serving
left join embeddings e on e.model_id = m.id and e.sha256 = p.sha256
where p.uses > 0 and (abs(l2_norm(e.embedding) - 1) < 0.01) is not true
order by p.id;
