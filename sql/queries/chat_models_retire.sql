-- A model ends with its base, and whatever day was known before gives way to what the provider says.
update openbook.chat_models m
set retires_on = e.day
from (
    select m.id, min(t.day) as day
    from openbook.chat_models m
    join unnest(%(models)s::text[], %(days)s::date[]) as t (model, day)
        on t.model in (m.endpoint_model, m.base)
    group by m.id) e
where m.id = e.id and m.retires_on is distinct from e.day
returning m.id
