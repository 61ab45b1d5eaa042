select v.verdict
from answer_verdicts v
join answer_evaluations e on e.id = v.answer_evaluation_id and e.judge = v.judge
where v.answer_evaluation_id = %(evaluation)s and v.other_id = %(other)s
order by v.item;
