create or replace view analytics.cost_by_day with (security_invoker = true) as
select (r.started_at at time zone 'utc')::date as day, s.name as source, m.name as model,
       count(*) as runs, sum(r.embedded) as embedded, sum(greatest(0, r.chunks - r.embedded)) as reused,
       sum(r.tokens) as tokens, sum(r.usd) as usd
from openbook.runs r
join openbook.sources s on s.id = r.source_id
left join openbook.models m on m.id = r.model_id
group by 1, 2, 3;

comment on view analytics.cost_by_day is 'One row a day in UTC, source and embedding model in which a run began: what its embeddings and contexts cost.';
comment on column analytics.cost_by_day.day is 'The day, in UTC, on which the runs began.';
comment on column analytics.cost_by_day.source is 'The watched folder''s name.';
comment on column analytics.cost_by_day.model is 'The embedding model.';
comment on column analytics.cost_by_day.runs is 'Runs, whatever came of them.';
comment on column analytics.cost_by_day.embedded is 'Texts sent to the embedder.';
comment on column analytics.cost_by_day.reused is 'Chunks whose vector was there already.';
comment on column analytics.cost_by_day.tokens is 'Tokens sent to the embedder, and to and from the context model.';
comment on column analytics.cost_by_day.usd is 'What the embedder and the context model charged, in US dollars; 0 for one that runs here.';
