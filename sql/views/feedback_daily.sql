create or replace view analytics.feedback_daily with (security_invoker = true) as
select (f.given_at at time zone 'utc')::date as day,
       coalesce(m.model, c.model) as model,
       f.kind,
       count(*) as judgements,
       count(distinct f.conversation_id) as conversations,
       count(*) filter (where f.value > 0) as positive,
       count(*) filter (where f.value < 0) as negative,
       avg(f.value) as mean_value
from openbook.feedback f
join openbook.conversations c on c.id = f.conversation_id
left join openbook.messages m on m.conversation_id = f.conversation_id and m.ordinal = f.ordinal
group by 1, 2, 3;

comment on view analytics.feedback_daily is 'One row a day, model and kind of feedback.';
comment on column analytics.feedback_daily.day is 'The day in UTC on which it was given.';
comment on column analytics.feedback_daily.model is 'The model whose answer it is about; null where nobody says.';
comment on column analytics.feedback_daily.kind is 'thumb, score, correction, regeneration or implicit.';
comment on column analytics.feedback_daily.judgements is 'How many were given.';
comment on column analytics.feedback_daily.conversations is 'How many conversations they are about.';
comment on column analytics.feedback_daily.positive is 'Those of a value above 0.';
comment on column analytics.feedback_daily.negative is 'Those of a value below 0.';
comment on column analytics.feedback_daily.mean_value is 'Of those that have one.';
