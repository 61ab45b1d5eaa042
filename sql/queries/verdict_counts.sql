select verdict, count(*)
from answer_verdicts
where answer_evaluation_id = %(evaluation)s and other_id = %(other)s
group by verdict;
