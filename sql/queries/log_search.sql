select openbook.log_search(
    %(query)s, %(collection)s, %(mode)s, %(filter)s, %(k)s::integer, %(chunk_ids)s::bigint[],
    %(milliseconds)s);
