with figures as (
    insert into answer_figures (answer_evaluation_id, measure, value, low, high, items)
    select %(evaluation)s, f.*
    from unnest(%(measures)s::text[], %(values)s::float8[], %(lows)s::float8[], %(highs)s::float8[],
                %(items)s::integer[]) f
    on conflict (answer_evaluation_id, measure) do update set
        value = excluded.value, low = excluded.low, high = excluded.high, items = excluded.items
)
update answer_evaluations
set finished_at = now(), questions = %(questions)s
where id = %(evaluation)s;
