select e.id, e.name, e.purpose, e.golden_set_id, e.chat_model_id, e.model, e.collection, e.strategy,
       e.judge, e.settings, e.questions, e.started_at, e.finished_at
from answer_evaluations e
where e.id = %(evaluation)s;
