-- What the advice on one collection and one task may rest on.

create or replace function openbook.answers_about(collection text, task text)
returns table (conversation_id bigint, ordinal integer, assigned boolean, counts boolean)
language sql stable rows 100000
set search_path = openbook, pg_temp
as $$
    with shown as (
        select m.conversation_id, m.ordinal, bool_or(c.name = answers_about.collection) as here
        from messages m
        cross join lateral unnest(m.chunk_ids) as s (chunk_id)
        join chunks k on k.id = s.chunk_id
        join passages p on p.id = k.passage_id
        join collections c on c.id = p.collection_id
        where m.role = 'assistant'
        group by m.conversation_id, m.ordinal
    ), placed as (
        select m.conversation_id, m.ordinal,
               coalesce(a.collection = answers_about.collection, s.here) as here
        from messages m
        left join answers a using (conversation_id, ordinal)
        left join shown s using (conversation_id, ordinal)
        left join chat_models o on o.id = a.chat_model_id
        where m.role = 'assistant' and (o.task = answers_about.task) is not false
    ), filled as (
        select distinct c.name
        from collections c
        join sources s on s.collection_id = c.id
    ), sole as (
        -- Where no collection has documents, the only one that there is.
        select coalesce(
            (select bool_and(f.name = answers_about.collection) from filled f),
            (select bool_and(c.name = answers_about.collection) from collections c)) as holds
    )
    select p.conversation_id, p.ordinal, p.here is not null, coalesce(p.here, s.holds)
    from placed p, sole s
    where p.here is not false
$$;
comment on function openbook.answers_about is 'The answers that a model of the task may have given about the collection. assigned: the log of answers, or the passages that it was shown, say so; of others nobody knows which collection they are about, and they count only where no other collection has documents.';

create or replace function openbook.base_name(model text) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
as $$
    select case model
        when 'offline' then 'smollm2'
        else regexp_replace(model, '^.*/|-\d{4}-\d{2}-\d{2}$', '', 'g') end
$$;
comment on function openbook.base_name is 'What a model is called where it is trained upon and where it is asked: without folder, hub''s user and date. The one that answers offline is smollm2.';
