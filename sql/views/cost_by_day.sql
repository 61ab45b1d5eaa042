create or replace view analytics.cost_by_day with (security_invoker = true) as
with spent as (
    select r.started_at, s.name as source, r.model_id, r.embedded,
           greatest(0, r.chunks - r.embedded) as reused, r.tokens, r.usd
    from openbook.runs r
    join openbook.sources s on s.id = r.source_id
    union all
    select e.started_at, null, e.model_id, e.embedded, 0, e.tokens, e.usd
    from openbook.reembeddings e
)
select (p.started_at at time zone 'utc')::date as day, p.source, m.name as model,
       count(*) as runs, sum(p.embedded) as embedded, sum(p.reused) as reused,
       sum(p.tokens) as tokens, sum(p.usd) as usd
from spent p
left join openbook.models m on m.id = p.model_id
group by 1, 2, 3;

comment on view analytics.cost_by_day is 'One row a day in UTC, source and embedding model in which a run began: what its embeddings and contexts cost.';
comment on column analytics.cost_by_day.day is 'The day, in UTC, on which the runs began.';
comment on column analytics.cost_by_day.source is 'The watched folder''s name; null for runs of reembed, which embed every source''s texts with a second model.';
comment on column analytics.cost_by_day.model is 'The embedding model.';
comment on column analytics.cost_by_day.runs is 'Runs, whatever came of them.';
comment on column analytics.cost_by_day.embedded is 'Texts sent to the embedder.';
comment on column analytics.cost_by_day.reused is 'Chunks whose vector was there already.';
comment on column analytics.cost_by_day.tokens is 'Tokens sent to the embedder, and to and from the context model.';
comment on column analytics.cost_by_day.usd is 'What the embedder and the context model charged, in US dollars; 0 for one that runs here.';
