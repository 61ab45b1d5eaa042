select min(r.item), min(r.reason)
from openbook.answer_results r
where r.answer_evaluation_id = %(evaluation)s
having bool_and(r.answer is null and r.reason is not null)
