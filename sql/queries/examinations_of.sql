select distinct on (e.name) e.id
from openbook.answer_evaluations e
where e.settings ->> 'cycle' = %(cycle)s and e.chat_model_id is not distinct from %(model)s::bigint
  and e.finished_at is not null
order by e.name, e.id desc
