select e.id, e.name, e.purpose, e.model, e.questions, e.finished_at is not null, e.exam_sha256,
       r.item, coalesce(array_agg(s.measure) filter (where s.measure is not null), '{}'),
       coalesce(array_agg(s.value) filter (where s.measure is not null), '{}')
from openbook.answer_evaluations e
left join openbook.answer_results r on r.answer_evaluation_id = e.id
left join openbook.answer_scores s on s.answer_evaluation_id = e.id and s.item = r.item
where e.id = any (%(ids)s)
group by e.id, r.item
order by e.id, r.item
