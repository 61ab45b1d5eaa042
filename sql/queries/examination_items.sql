select r.item, r.answer, r.reason, q.expected_answer, r.retrieval_ms, r.generation_ms,
       coalesce(s.scores, '{}') as scores,
       openbook.failed_half(e.strategy, coalesce(s.measures, '{}')) as half
from answer_results r
join answer_evaluations e on e.id = r.answer_evaluation_id
cross join lateral (
    select jsonb_object_agg(v.measure, jsonb_build_array(v.value, v.detail)) as scores,
           jsonb_object_agg(v.measure, v.value) as measures
    from answer_scores v
    where v.answer_evaluation_id = r.answer_evaluation_id and v.item = r.item) s
left join golden_questions q on q.id = r.golden_question_id
where r.answer_evaluation_id = %(evaluation)s
order by r.golden_question_id, r.item;
