-- An item's answer and its scores; one that failed before is replaced.
with stored as (
    insert into answer_results (
        answer_evaluation_id, item, golden_question_id, answer, chunk_ids, cited_ids,
        context_tokens, input_tokens, output_tokens, retrieval_ms, generation_ms, reason)
    values (%(evaluation)s, %(item)s, %(golden_question)s, %(answer)s, %(chunk_ids)s, %(cited_ids)s,
            %(context_tokens)s, %(input_tokens)s, %(output_tokens)s, %(retrieval_ms)s, %(generation_ms)s, %(reason)s)
    on conflict (answer_evaluation_id, item) do update set
        golden_question_id = excluded.golden_question_id, answer = excluded.answer,
        chunk_ids = excluded.chunk_ids, cited_ids = excluded.cited_ids,
        context_tokens = excluded.context_tokens, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
        retrieval_ms = excluded.retrieval_ms, generation_ms = excluded.generation_ms,
        reason = excluded.reason
    returning answer_evaluation_id, item
)
insert into answer_scores (answer_evaluation_id, item, measure, value, detail)
select s.answer_evaluation_id, s.item, g.measure, g.value, g.detail
from stored s
cross join unnest(%(measures)s::text[], %(values)s::float8[], %(details)s::text[])
    g (measure, value, detail)
on conflict (answer_evaluation_id, item, measure) do update set
    value = excluded.value, detail = excluded.detail;
