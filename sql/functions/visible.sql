-- Which chunks readers see, under a filter and at a time: the one place that says so.

create or replace function openbook.placements(condition text, as_of timestamptz) returns text
language sql immutable
set search_path = pg_catalog
return format(
    'chunks c
     join contents n on n.id = c.content_id
     join versions v on v.content_id = n.id
     join documents d on %s
     join sources s on s.id = d.source_id
     where s.collection_id = $2 and %s',
    case when as_of is null then 'd.version_id = v.id'
         else 'd.id = v.document_id and v.valid_from <= $3 and (v.valid_to > $3) is not false' end,
    coalesce(condition, 'true'));
comment on function openbook.placements is 'SQL: the chunks that readers see, or saw at the time $3, in the collection $2 under a filter''s condition with its binds $1.';

create or replace function openbook.admitted(
    collection bigint, condition text, binds jsonb[], as_of timestamptz, most integer)
returns bigint[]
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    places    bigint;
    passages  bigint[];
begin
    execute format(
        'select count(*), array_agg(distinct few.passage_id)
         from (select c.passage_id from %s limit $4) few', openbook.placements(condition, as_of))
    into places, passages
    using binds, collection, as_of, most + 1;
    return case when places > most then null else coalesce(passages, '{}') end;
end
$$;
comment on function openbook.admitted is 'The passages that a filter admits; null when they stand in more than `most` chunks.';

-- Few passages are looked up one by one in the order written, whatever the statistics say: a plan
-- from the side of the documents would read them all for each passage.
create or replace function openbook.admissible(
    list openbook.candidate[], collection bigint, condition text, binds jsonb[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, pg_temp
set join_collapse_limit = 1
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    if condition is not null then
        execute format(
            'select array_agg((l.passage_id, l.relevance)::candidate order by l.place)
             from unnest($4) with ordinality l (passage_id, relevance, place)
             where (select true from %s and c.passage_id = l.passage_id limit 1)',
            openbook.placements(condition, null))
        into list
        using binds, collection, null::timestamptz, list;
    end if;
    return coalesce(list, '{}');
end
$$;
comment on function openbook.admissible is 'Those of a list''s passages that a filter admits, in their order.';
