insert into openbook.training_events (training_run_id, ordinal, happened_at, message, data)
select %(run)s, n.last + row_number() over (order by e.ordinal), to_timestamp((e.told ->> 'at')::bigint),
       coalesce(e.told ->> 'message', ''),
       case jsonb_typeof(e.told -> 'data') when 'object' then e.told -> 'data' else '{}' end
       || jsonb_build_object('id', e.told -> 'id', 'level', e.told -> 'level', 'type', e.told -> 'type')
from jsonb_array_elements(%(events)s) with ordinality as e (told, ordinal)
cross join (
    select coalesce(max(ordinal), 0) as last
    from openbook.training_events where training_run_id = %(run)s) n
where not exists (
    select from openbook.training_events known
    where known.training_run_id = %(run)s and known.data ->> 'id' = e.told ->> 'id')
