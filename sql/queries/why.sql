select w.reason, w.rank, w.score, w.keyword_rank, w.keyword_score, w.lexemes, w.dense_rank,
       w.similarity, w.demands, w.current, w.valid_to, w.source, w.path, w.chunk_id
from openbook.why(
    %(query)s, %(chunk)s::bigint, %(k)s::integer, %(mode)s, %(filter)s, %(embedding)s, %(as_of)s,
    %(predicate)s) w;
