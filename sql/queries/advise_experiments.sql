with examined as (
    select e.id, e.golden_set_id, e.started_at, e.finished_at, e.model, e.strategy,
           t.trained,
           case when not t.trained then e.model end as subject,
           openbook.base_name(coalesce(m.base, e.model)) as base,
           case when e.strategy = 'oracle' then case when not t.trained then 'oracle' end
                when not t.trained then case e.strategy when 'none' then 'prompt' else e.strategy end
                when e.strategy = 'none' then 'fine-tuning'
                when e.strategy = 'rag' then 'rag + fine-tuning' end as condition
    from openbook.answer_evaluations e
    join openbook.golden_sets g on g.id = e.golden_set_id
    join openbook.collections c on c.id = g.collection_id
    left join openbook.chat_models m on m.id = e.chat_model_id
    cross join lateral (
        select coalesce(m.training_run_id, m.dataset_version_id) is not null as trained) t
    where e.finished_at is not null and e.purpose = 'task' and c.name = %(collection)s
      and (m.task = %(task)s) is not false
      and g.name = coalesce(%(golden)s, g.name)
      -- A candidate that does not serve was refused, or nobody has decided on it.
      and (m.stage = 'serving' or not t.trained)
), subjects as (
    -- One set, and one model that nobody trained: all else is compared with its answers.
    select e.golden_set_id, e.base, e.subject
    from examined e
    where e.condition is not null
    group by e.golden_set_id, e.base, e.subject
    order by (e.subject = %(model)s) is true desc, e.subject is null,
             count(distinct e.condition) desc, max(e.finished_at) desc, e.golden_set_id, e.base,
             e.subject
    limit 1
), latest as (
    select distinct on (e.condition) e.*
    from examined e
    join subjects s on s.golden_set_id = e.golden_set_id
        and (e.trained and e.base = s.base or e.subject = s.subject)
    where e.condition is not null
    order by e.condition, e.started_at desc, e.id desc
)
select l.condition, l.model, g.name, r.item, r.context_tokens,
       r.input_tokens - r.context_tokens as prompt_tokens, r.output_tokens, r.retrieval_ms,
       r.generation_ms, r.answer, q.expected_answer,
       s.scores, openbook.failed_half(l.strategy, s.scores) as half,
       (select bool_and(exists (select
                                from openbook.documents d
                                join openbook.sources o on o.id = d.source_id
                                where o.collection_id = g.collection_id and d.path = j.path
                                  and d.version_id is not null))
        from openbook.golden_judgements j
        where j.golden_question_id = r.golden_question_id and j.grade > 0) as held
from latest l
join openbook.golden_sets g on g.id = l.golden_set_id
join openbook.answer_results r on r.answer_evaluation_id = l.id
cross join lateral (
    select coalesce(jsonb_object_agg(v.measure, v.value), '{}') as scores
    from openbook.answer_scores v
    where v.answer_evaluation_id = r.answer_evaluation_id and v.item = r.item) s
left join openbook.golden_questions q on q.id = r.golden_question_id
order by l.condition, r.item
