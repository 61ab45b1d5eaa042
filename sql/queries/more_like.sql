select s.rank, s.score, s.path, s.title, s.section, s.page, s.text, s.source,
       s.document_id, s.version_id, s.chunk_id, s.keyword_rank, s.dense_rank
from openbook.more_like(
    %(chunk)s::bigint, %(k)s::integer, %(mode)s, %(filter)s, %(predicate)s, %(per_document)s,
    %(skip)s::integer) s
order by s.rank;
