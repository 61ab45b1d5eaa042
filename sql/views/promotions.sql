create or replace view analytics.promotions with (security_invoker = true) as
select p.id as promotion_id, p.promoted_at, p.task, p.action,
       m.name || '@' || m.version as model, o.name || '@' || o.version as previous,
       p.decision_id, p.reason, p.promoted_by
from openbook.promotions p
left join openbook.chat_models m on m.id = p.model_id
left join openbook.chat_models o on o.id = p.previous_id;

comment on view analytics.promotions is 'One row a change of the model that serves a task.';
comment on column analytics.promotions.promotion_id is 'Its number.';
comment on column analytics.promotions.promoted_at is 'When it changed.';
comment on column analytics.promotions.task is 'What the model is for.';
comment on column analytics.promotions.action is 'promote or rollback.';
comment on column analytics.promotions.model is 'What serves since, name@version; null: the configured model, or one that is deleted.';
comment on column analytics.promotions.previous is 'What served before, name@version; null: the configured model, or one that is deleted.';
comment on column analytics.promotions.decision_id is 'The judgement that it rests on; null: by hand.';
comment on column analytics.promotions.reason is 'What was said of it.';
comment on column analytics.promotions.promoted_by is 'The login.';
