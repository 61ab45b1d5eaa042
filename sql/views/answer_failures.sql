create or replace view analytics.answer_failures with (security_invoker = true) as
select e.id as evaluation_id, e.started_at, e.name, e.purpose, e.model, e.strategy,
       a.item as question, openbook.failed_half(e.strategy, s.scores) as half,
       (s.scores ->> 'retrieval_recall')::float8 as retrieval_recall, a.chunk_ids, a.cited_ids,
       a.retrieval_ms, a.generation_ms
from openbook.answer_evaluations e
join openbook.answer_results a on a.answer_evaluation_id = e.id
cross join lateral (
    select jsonb_object_agg(v.measure, v.value) as scores
    from openbook.answer_scores v
    where v.answer_evaluation_id = a.answer_evaluation_id and v.item = a.item) s
where (s.scores ->> 'correct')::float8 < 1;

comment on view analytics.answer_failures is 'One row an examination and a question whose answer failed a check. The answer, and what of it failed, quote documents and are for those who train.';
comment on column analytics.answer_failures.evaluation_id is 'See analytics.answer_evaluations.';
comment on column analytics.answer_failures.started_at is 'When the examination began.';
comment on column analytics.answer_failures.name is 'Of the golden set.';
comment on column analytics.answer_failures.purpose is 'task, general or safety.';
comment on column analytics.answer_failures.model is 'Name and version of the model, or its configured name.';
comment on column analytics.answer_failures.strategy is 'What it answered from: rag, long-context, none or oracle.';
comment on column analytics.answer_failures.question is 'As it was asked.';
comment on column analytics.answer_failures.half is 'retrieval: no passage that says the expected answer, or none of an expected document, was shown to the model; generation: one was, search was not asked, or the form is what failed; unclear: there is no expected answer to look for.';
comment on column analytics.answer_failures.retrieval_recall is 'The share of the expected documents that was shown, 0 to 1; null where search was not asked.';
comment on column analytics.answer_failures.chunk_ids is 'The chunks that were shown, best first.';
comment on column analytics.answer_failures.cited_ids is 'Those among them that the answer cites.';
comment on column analytics.answer_failures.retrieval_ms is 'Milliseconds until its passages were found.';
comment on column analytics.answer_failures.generation_ms is 'Milliseconds that the model took.';
