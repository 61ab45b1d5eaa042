-- One row a chunk of the collection, behind the tokens of all of it.
select r.tokens, (row_number() over ())::integer as rank, 0::double precision as score, r.path, r.title,
       r.section, r.page, r.text, r.source, r.document_id, r.version_id, r.chunk_id,
       null::integer as keyword_rank, null::integer as dense_rank
from openbook.read_collection(
    %(collection)s, %(filter)s, %(predicate)s, %(most_tokens)s::bigint) r;
