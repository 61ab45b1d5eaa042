-- One row a hit, beside the serving model, the query's words and whether the model searched: it does
-- not while the words' embedding has yet to be made (where there are none, it says so). Without a hit, one row that has just these.
select a.model, a.words, a.searched, h.*
from (
    select m.name as model, asked.words,
           %(mode)s = 'keyword' or m.id is null or %(embedding)s::halfvec is not null
           or openbook.known_embedding(m.id, asked.words) is not null
           or asked.words !~ '\S' as searched
    from openbook.read_query(%(query)s) asked
    left join models m on m.serving) a
left join lateral (
    select s.rank, s.score, s.path, s.title, s.section, s.page, s.text, s.source,
           s.document_id, s.version_id, s.chunk_id, s.keyword_rank, s.dense_rank
    from openbook.search(
        %(query)s, %(k)s::integer, %(mode)s, %(filter)s, %(collection)s, %(embedding)s, %(as_of)s,
        %(predicate)s, %(per_document)s, %(skip)s::integer) s
    where a.searched) h on true
order by h.rank;
