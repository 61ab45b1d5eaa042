-- Questions that both examinations have an answer to, and which the judge has not compared yet.
select a.item, q.expected_answer, a.answer, b.answer
from answer_results a
join answer_results b on b.answer_evaluation_id = %(other)s and b.item = a.item
left join golden_questions q on q.id = a.golden_question_id
where a.answer_evaluation_id = %(evaluation)s and a.answer is not null and b.answer is not null
  and not exists (
      select from answer_verdicts v
      where v.answer_evaluation_id = a.answer_evaluation_id and v.other_id = %(other)s
        and v.item = a.item and v.judge = %(judge)s)
order by a.item;
