with conditions as (
    select e.id, e.golden_set_id, e.started_at, e.model,
           case when e.strategy = 'oracle' then 'oracle'
                when m.training_run_id is null and m.dataset_version_id is null then
                    case e.strategy when 'none' then 'prompt' else e.strategy end
                when e.strategy = 'none' then 'fine-tuning'
                when e.strategy = 'rag' then 'rag + fine-tuning' end as condition
    from openbook.answer_evaluations e
    join openbook.golden_sets g on g.id = e.golden_set_id
    join openbook.collections c on c.id = g.collection_id
    left join openbook.chat_models m on m.id = e.chat_model_id
    where e.finished_at is not null and e.purpose = 'task' and c.name = %(collection)s
      and (m.task = %(task)s) is not false
), latest as (
    select distinct on (c.golden_set_id, c.condition) c.*
    from conditions c
    where c.condition is not null
    order by c.golden_set_id, c.condition, c.started_at desc, c.id desc
), chosen as (
    select l.golden_set_id
    from latest l
    group by l.golden_set_id
    order by count(*) desc, max(l.started_at) desc, l.golden_set_id
    limit 1
)
select l.condition, l.model, g.name, r.item, r.input_tokens, r.output_tokens, r.retrieval_ms,
       r.generation_ms, r.answer, q.expected_answer,
       coalesce((select jsonb_object_agg(s.measure, s.value)
                 from openbook.answer_scores s
                 where s.answer_evaluation_id = r.answer_evaluation_id and s.item = r.item), '{}')
           as scores,
       (select bool_and(exists (select
                                from openbook.documents d
                                join openbook.sources o on o.id = d.source_id
                                where o.collection_id = g.collection_id and d.path = j.path
                                  and d.version_id is not null))
        from openbook.golden_judgements j
        where j.golden_question_id = r.golden_question_id and j.grade > 0) as held
from latest l
join chosen using (golden_set_id)
join openbook.golden_sets g on g.id = l.golden_set_id
join openbook.answer_results r on r.answer_evaluation_id = l.id
left join openbook.golden_questions q on q.id = r.golden_question_id
order by l.condition, r.item
