insert into contents (collection_id, language, sha256, format, recipe, title, text, metadata,
                      chunks)
select distinct on (r.sha256, r.format, r.recipe)
       s.collection_id, s.language, r.sha256, r.format, r.recipe, r.title, r.text, r.metadata,
       r.chunks
from read_contents r
cross join sources s
where s.id = %(source)s
order by r.sha256, r.format, r.recipe
on conflict do nothing;
