select count(*) as questions,
       count(*) filter (where q.checks @> '[{"kind": "must_cite"}]') as must_cite
from openbook.golden_questions q
join openbook.golden_sets g on g.id = q.golden_set_id
join openbook.collections c on c.id = g.collection_id
where c.name = %(collection)s and g.purpose = 'task'
