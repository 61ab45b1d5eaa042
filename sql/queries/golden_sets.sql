select g.name, c.name as collection, g.purpose, count(q.id) as questions,
       count(q.expected_answer) as answers,
       count(q.id) filter (where q.checks <> '[]') as checked,
       count(q.id) filter (where exists (
           select from golden_judgements j where j.golden_question_id = q.id)) as judged
from golden_sets g
left join collections c on c.id = g.collection_id
left join golden_questions q on q.golden_set_id = g.id
group by g.id, c.name
order by g.name;
