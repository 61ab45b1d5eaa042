-- The serving model, the query's words, and whether a search needs no vector or knows the words'.
select m.name as model, asked.words,
       %(mode)s = 'keyword' or m.id is null
       or openbook.known_embedding(m.id, asked.words) is not null
       or asked.words !~ '\S' as known
from openbook.read_query(%(query)s) asked
left join models m on m.serving;
