create or replace view analytics.answer_evaluations with (security_invoker = true) as
select e.id as evaluation_id, e.started_at, e.finished_at, e.name, e.purpose, e.model, e.chat_model_id,
       e.collection, e.strategy, e.questions, f.measure, f.value, f.low, f.high, f.items,
       f.value - lag(f.value) over (
           partition by e.name, e.purpose, e.strategy, f.measure order by e.finished_at, e.id) as change
from openbook.answer_evaluations e
join openbook.answer_figures f on f.answer_evaluation_id = e.id;

comment on view analytics.answer_evaluations is 'One row an examination that ended and a measure: how well a model answered questions whose answers are known.';
comment on column analytics.answer_evaluations.evaluation_id is 'Grows with time; what `openbook evaluate --against` takes.';
comment on column analytics.answer_evaluations.started_at is 'When its first question was asked.';
comment on column analytics.answer_evaluations.finished_at is 'When its last answer had come.';
comment on column analytics.answer_evaluations.name is 'Of the golden set, or of the dataset version whose held-out split was read.';
comment on column analytics.answer_evaluations.purpose is 'task: what the model is for; general: what it must not forget; safety: what it must refuse; perplexity: a held-out split.';
comment on column analytics.answer_evaluations.model is 'Name and version of the model, or its configured name.';
comment on column analytics.answer_evaluations.chat_model_id is 'The registered model; null for one that is only configured.';
comment on column analytics.answer_evaluations.collection is 'Whose documents the questions are about; empty where they are about none.';
comment on column analytics.answer_evaluations.strategy is 'rag, long-context, none, or oracle: from the expected documents themselves.';
comment on column analytics.answer_evaluations.questions is 'How many were asked.';
comment on column analytics.answer_evaluations.measure is 'retrieval_recall and context_recall are search''s; correct, format, schema, exact, token_f1, citation_precision, citation_recall, grounded and refusal are the model''s (0 to 1, more is better), and so is nll (nats a token, less is better).';
comment on column analytics.answer_evaluations.value is 'The mean over the items that the measure applies to.';
comment on column analytics.answer_evaluations.low is 'The lower end of the 95 % bootstrap interval.';
comment on column analytics.answer_evaluations.high is 'The upper end of the 95 % bootstrap interval.';
comment on column analytics.answer_evaluations.items is 'How many items the measure applies to.';
comment on column analytics.answer_evaluations.change is 'Against the examination before of the same name, purpose and strategy, whatever its model; null for the first.';
