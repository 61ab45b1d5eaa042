create or replace view analytics.golden_results with (security_invoker = true) as
select e.id as evaluation_id, e.evaluated_at, e.name, e.golden_set_id is not null as is_golden_set,
       e.collection, e.model, e.reranker, e.questions, f.mode, f.measure, f.value, f.low, f.high,
       f.value - lag(f.value) over (
           partition by e.name, f.mode, f.measure order by e.evaluated_at, e.id) as change
from openbook.evaluations e
join openbook.evaluation_figures f on f.evaluation_id = e.id;

comment on view analytics.golden_results is 'One row an evaluation, mode and measure: how well search answered questions whose answers are known.';
comment on column analytics.golden_results.evaluation_id is 'Grows with time.';
comment on column analytics.golden_results.evaluated_at is 'When the evaluation ended.';
comment on column analytics.golden_results.name is 'Of the golden set, or of the test collection''s folder.';
comment on column analytics.golden_results.is_golden_set is 'False for a test collection.';
comment on column analytics.golden_results.collection is 'The collection that was searched.';
comment on column analytics.golden_results.model is 'The embedding model that search used.';
comment on column analytics.golden_results.reranker is 'What put the hits of hybrid+rerank in order; off where that mode did not run.';
comment on column analytics.golden_results.questions is 'How many were asked in each mode.';
comment on column analytics.golden_results.mode is 'keyword, dense, hybrid or hybrid+rerank.';
comment on column analytics.golden_results.measure is 'ndcg@10, recall@10, recall@100, mrr, success@1, p50_ms or p95_ms.';
comment on column analytics.golden_results.value is 'The mean over the questions, 0 to 1; milliseconds for latencies.';
comment on column analytics.golden_results.low is 'The lower end of the 95 % bootstrap interval; null for latencies.';
comment on column analytics.golden_results.high is 'The upper end of the 95 % bootstrap interval; null for latencies.';
comment on column analytics.golden_results.change is 'Against the evaluation of the same name before; null for the first.';
