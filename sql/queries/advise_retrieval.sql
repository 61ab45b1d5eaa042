select e.name, e.questions, f.value, f.low, f.high
from openbook.evaluations e
join openbook.evaluation_figures f on f.evaluation_id = e.id
where e.collection = %(collection)s and e.golden_set_id is not null
  and f.mode = 'hybrid' and f.measure = 'recall@10'
order by e.evaluated_at desc, e.id desc
limit 1
