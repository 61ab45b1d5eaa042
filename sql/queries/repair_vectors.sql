-- What cannot be compared goes; what is missing is then bought.
delete from embeddings e
using passages p, models m
where m.serving and p.id = any (%(ids)s) and e.model_id = m.id and e.sha256 = p.sha256;
