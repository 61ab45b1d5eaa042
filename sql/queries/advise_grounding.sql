select count(*) as answered,
       count(*) filter (where cardinality(a.cited_ids) > 0) as cited,
       avg(a.context_tokens) filter (where a.strategy = 'rag')::double precision as context_tokens,
       percentile_cont(.5) within group (order by a.retrieval_ms) as retrieval_ms,
       percentile_cont(.5) within group (order by a.generation_ms) as generation_ms
from openbook.answers a
left join openbook.chat_models m on m.id = a.chat_model_id
where a.collection = %(collection)s and a.outcome = 'answered'
  and (m.task = %(task)s) is not false
