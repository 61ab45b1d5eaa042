select g.id, coalesce(c.name, ''), g.purpose, q.id, q.question,
       coalesce((select jsonb_object_agg(j.path, j.grade)
                 from golden_judgements j where j.golden_question_id = q.id), '{}'),
       q.expected_answer, q.checks, q.tags, q.conversation_id
from golden_sets g
left join collections c on c.id = g.collection_id
join golden_questions q on q.golden_set_id = g.id
where g.name = %(name)s
order by q.id;
