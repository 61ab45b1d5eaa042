with kept as (
    select c.split, c.tokens, e.turns, e.language, e.personal, e.recipe
    from curated c
    join openbook.examples e on e.id = c.example_id
    where c.step is null
)
select jsonb_build_object(
    'tokens', (select jsonb_object_agg(t.bin, t.examples)
               from (select least(width_bucket(ln(greatest(k.tokens, 1)) / ln(2), 0, 17, 17), 17) as bin,
                            count(*) as examples
                     from kept k group by 1) t),
    'turns', (select jsonb_object_agg(t.turns, t.examples)
              from (select least(k.turns, 20) as turns, count(*) as examples from kept k group by 1) t),
    'languages', (select jsonb_object_agg(t.language, t.examples)
                  from (select coalesce(k.language, 'unknown') as language, count(*) as examples
                        from kept k group by 1) t),
    'personal', (select jsonb_object_agg(t.class, t.values)
                 from (select p.key as class, sum(p.value::integer) as values
                       from kept k cross join jsonb_each_text(k.personal) p group by 1) t))
