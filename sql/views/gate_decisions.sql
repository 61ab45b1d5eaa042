create or replace view analytics.gate_decisions with (security_invoker = true) as
select g.id as decision_id, g.decided_at, g.task,
       c.name || '@' || c.version as candidate, s.name || '@' || s.version as serving,
       g.outcome, g.promoted, g.approved_by, g.difference, g.low, g.high, g.margin, g.confidence,
       g.items, g.minimum_detectable,
       (select array_agg(one ->> 'condition' order by place)
        from jsonb_array_elements(g.reasons) with ordinality as r (one, place)
        where not (one ->> 'holds')::boolean) as failed,
       g.reasons, g.figures, g.refused_by
from openbook.gate_decisions g
join openbook.chat_models c on c.id = g.candidate_id
left join openbook.chat_models s on s.id = g.serving_id;

comment on view analytics.gate_decisions is 'One row a judgement of a candidate against the serving model.';
comment on column analytics.gate_decisions.decision_id is 'Its number, as openbook promote --decision takes it.';
comment on column analytics.gate_decisions.decided_at is 'When it was judged.';
comment on column analytics.gate_decisions.task is 'What both are for.';
comment on column analytics.gate_decisions.candidate is 'name@version.';
comment on column analytics.gate_decisions.serving is 'name@version; null: none of the registry served.';
comment on column analytics.gate_decisions.outcome is 'better, not worse, inconclusive or worse, on the questions of the task.';
comment on column analytics.gate_decisions.promoted is 'Whether the candidate came to serve by it.';
comment on column analytics.gate_decisions.approved_by is 'Who let it pass, where a person was asked.';
comment on column analytics.gate_decisions.difference is 'Candidate less serving, mean over the items (0 to 1).';
comment on column analytics.gate_decisions.low is 'The lower end of its interval.';
comment on column analytics.gate_decisions.high is 'The upper end of its interval.';
comment on column analytics.gate_decisions.margin is 'By how much it had to be better.';
comment on column analytics.gate_decisions.confidence is 'Of the interval.';
comment on column analytics.gate_decisions.items is 'How many items both answered.';
comment on column analytics.gate_decisions.minimum_detectable is 'The smallest true difference that so many items would show with power .8.';
comment on column analytics.gate_decisions.failed is 'The conditions that did not hold; null: all held.';
comment on column analytics.gate_decisions.reasons is 'Every condition with what it found.';
comment on column analytics.gate_decisions.figures is 'Means of both by measure and set, and the test.';
comment on column analytics.gate_decisions.refused_by is 'Who kept it out, where a person was asked.';
