select task, name || '@' || version as model, tainted_at, retires_on,
       retires_on <= current_date as retired
from chat_models
where stage = 'serving'
order by task;
