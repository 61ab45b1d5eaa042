-- One row a strategy. What a prompt has beside its passages is told row by row: another strategy's
-- passages, or another collection's, are of another length.
select a.strategy,
       avg(m.input_tokens - a.context_tokens)::double precision as prompt_tokens,
       avg(a.context_tokens)::double precision as context_tokens,
       avg(m.output_tokens)::double precision as output_tokens,
       percentile_cont(.5) within group (order by a.retrieval_ms) as retrieval_ms,
       percentile_cont(.5) within group (order by a.generation_ms) as generation_ms
from openbook.answers a
join openbook.messages m using (conversation_id, ordinal)
left join openbook.chat_models c on c.id = a.chat_model_id
where a.collection = %(collection)s and a.outcome = 'answered' and (c.task = %(task)s) is not false
group by a.strategy
