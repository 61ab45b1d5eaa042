select openbook.log_answer(
    %(conversation)s, %(asker)s, %(collection)s, %(strategy)s, %(chat_model)s, %(model)s, %(question)s,
    %(answer)s, %(response)s, %(outcome)s, %(reason)s, %(chunk_ids)s::bigint[],
    %(cited_ids)s::bigint[], %(removed_citations)s::integer, %(context_tokens)s::integer,
    %(input_tokens)s::integer, %(output_tokens)s::integer, %(retrieval_ms)s::integer,
    %(generation_ms)s::integer);
