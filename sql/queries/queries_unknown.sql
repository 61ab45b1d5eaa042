-- The words of those queries whose embedding under the model is not known.
select distinct asked.words
from unnest(%(queries)s::text[]) q (query)
cross join openbook.read_query(q.query) asked
join models m on m.name = %(model)s
where asked.words <> '' and openbook.known_embedding(m.id, asked.words) is null;
