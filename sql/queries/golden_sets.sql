-- Sets without a question cannot be asked.
select g.name
from golden_sets g
where exists (select from golden_questions q where q.golden_set_id = g.id)
order by g.name;
