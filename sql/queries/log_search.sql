select openbook.log_search(
    %(query)s, %(collection)s, %(mode)s, %(filter)s, %(predicate)s, %(as_of)s, %(per_document)s,
    %(k)s::integer, %(skip)s::integer, %(chunk_ids)s::bigint[], %(milliseconds)s);
