select r.item, r.answer, r.reason, q.expected_answer,
       r.retrieval_ms, r.generation_ms,
       coalesce((
           select jsonb_object_agg(s.measure, jsonb_build_array(s.value, s.detail))
           from answer_scores s
           where s.answer_evaluation_id = r.answer_evaluation_id and s.item = r.item), '{}') as scores
from answer_results r
left join golden_questions q on q.id = r.golden_question_id
where r.answer_evaluation_id = %(evaluation)s
order by r.golden_question_id, r.item;
