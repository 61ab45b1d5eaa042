-- The examination of that kind that did not end, or a new one.
with begun as (
    select id
    from answer_evaluations
    where finished_at is null and name = %(name)s and purpose = %(purpose)s
      and golden_set_id is not distinct from %(golden_set)s
      and chat_model_id is not distinct from %(chat_model)s
      and model = %(model)s and collection = %(collection)s and strategy = %(strategy)s
      and settings = %(settings)s
    order by id desc
    limit 1
), made as (
    insert into answer_evaluations (
        golden_set_id, name, purpose, chat_model_id, model, collection, strategy, settings, questions)
    select %(golden_set)s::bigint, %(name)s, %(purpose)s, %(chat_model)s::bigint, %(model)s,
           %(collection)s, %(strategy)s, %(settings)s, %(questions)s
    where not exists (select from begun)
    returning id
)
select id from begun union all select id from made;
