-- An examination of a held-out split: one item an example, whose score is its nll a token.
with made as (
    insert into answer_evaluations (name, purpose, chat_model_id, model, collection, strategy, questions)
    values (%(name)s, 'perplexity', %(chat_model)s, %(model)s, '', 'none',
            cardinality(%(items)s::text[]))
    returning id
), results as (
    insert into answer_results (answer_evaluation_id, item, output_tokens)
    select m.id, g.item, g.tokens
    from made m
    cross join unnest(%(items)s::text[], %(tokens)s::integer[]) g (item, tokens)
    returning answer_evaluation_id, item
), scored as (
    insert into answer_scores (answer_evaluation_id, item, measure, value)
    select r.answer_evaluation_id, r.item, 'nll', g.value
    from results r
    join unnest(%(items)s::text[], %(values)s::float8[]) g (item, value) using (item)
)
select id from made;
