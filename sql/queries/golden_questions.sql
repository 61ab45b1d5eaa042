select g.id, c.name, q.question, jsonb_object_agg(j.path, j.grade)
from golden_sets g
join collections c on c.id = g.collection_id
join golden_questions q on q.golden_set_id = g.id
join golden_judgements j on j.golden_question_id = q.id
where g.name = %(name)s
group by g.id, c.name, q.id
order by q.id;
