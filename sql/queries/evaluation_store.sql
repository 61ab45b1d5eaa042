with evaluated as (
    insert into evaluations (name, golden_set_id, collection, model, reranker, questions)
    values (%(name)s, %(golden_set)s, %(collection)s, %(model)s, %(reranker)s, %(questions)s)
    returning id
), figures as (
    insert into evaluation_figures (evaluation_id, mode, measure, value, low, high)
    select e.id, f.*
    from evaluated e
    cross join unnest(%(modes)s::text[], %(measures)s::text[], %(values)s::float8[],
                      %(lows)s::float8[], %(highs)s::float8[]) f
)
select id from evaluated;
