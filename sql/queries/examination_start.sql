-- The examination of that kind that did not end, or a new one.
with begun as (
    select id
    from answer_evaluations
    where finished_at is null and name = %(name)s and purpose = %(purpose)s
      and golden_set_id is not distinct from %(golden_set)s
      and chat_model_id is not distinct from %(chat_model)s
      and model = %(model)s and collection = %(collection)s and strategy = %(strategy)s
      and endpoint_model = %(endpoint_model)s
      and endpoint_url is not distinct from %(endpoint_url)s
      and exam_sha256 = %(exam_sha256)s and settings = %(settings)s
    order by id desc
    limit 1
), made as (
    insert into answer_evaluations (
        golden_set_id, name, purpose, chat_model_id, model, collection, strategy, endpoint_model,
        endpoint_url, exam_sha256, settings, questions)
    select %(golden_set)s::bigint, %(name)s, %(purpose)s, %(chat_model)s::bigint, %(model)s,
           %(collection)s, %(strategy)s, %(endpoint_model)s, %(endpoint_url)s, %(exam_sha256)s,
           %(settings)s, %(questions)s
    where not exists (select from begun)
    returning id
)
select id from begun union all select id from made;
