-- Which chunks the session sees, under a filter and at a time: the one place that says so.
--
-- Rights are a condition like a filter's, which the session cannot leave out. The functions that
-- search run as their owner, who reads every row: each of them begins with openbook.scope().

create or replace function openbook.scope(
    collection text, filters jsonb[], required text[], excluded text[],
    out collection_id bigint, out condition text, out binds jsonb[])
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    principals  constant text[] := openbook.my_principals();
begin
    select c.id into collection_id
    from collections c
    where c.name = scope.collection and c.id in (select openbook.my_collections());
    if collection_id is null then
        raise exception 'there is no collection %', quote_nullable(scope.collection)
            using errcode = 'invalid_parameter_value',
                  hint = 'There are: ' || coalesce(
                      (select string_agg(c.name, ', ' order by c.name)
                       from collections c where c.id in (select openbook.my_collections())),
                      'none') || '.';
    end if;
    select c.condition, c.binds into condition, binds
    from openbook.conditions(collection_id, filters, required, excluded) c;
    if principals is not null then
        binds := binds || to_jsonb(principals);
        condition := concat_ws(' and ', format(
            -- `is not false` would be taken for rare: that makes plans that begin at the versions.
            'd.readers && openbook.texts($1[%1$s])
             and coalesce(v.readers && openbook.texts($1[%1$s]), true)', cardinality(binds)),
            condition);
    end if;
end
$$;
comment on function openbook.scope is 'The collection of that name, and the condition on chunks c, versions v, documents d, contents n and sources s that filters, what a query''s text requires and excludes, and the session''s rights make together, whose values are those of $1, the binds; null: all.';

create or replace function openbook.texts(list jsonb) returns text[]
language sql immutable parallel safe
set search_path = pg_catalog, pg_temp
return array(select jsonb_array_elements_text(list));
comment on function openbook.texts is 'A JSON array of texts as an array.';

create or replace function openbook.contents_seen(condition text, as_of timestamptz) returns text
language sql immutable
set search_path = pg_catalog
return format(
    'join versions v on v.content_id = n.id
     join documents d on %s
     join sources s on s.id = d.source_id
     where s.collection_id = $2 and %s',
    case when as_of is null then 'd.version_id = v.id'
         else 'd.id = v.document_id and v.valid_from <= $3 and (v.valid_to > $3) is not false' end,
    coalesce(condition, 'true'));
comment on function openbook.contents_seen is 'SQL: those of contents n that readers see, or saw at the time $3, in the collection $2 under a condition with its binds $1.';

create or replace function openbook.placements(condition text, as_of timestamptz) returns text
language sql immutable
set search_path = pg_catalog, pg_temp
return 'chunks c join contents n on n.id = c.content_id ' || openbook.contents_seen(condition, as_of);
comment on function openbook.placements is 'SQL: the chunks that readers see, likewise.';

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
    -- Contents know how many chunks they were cut into: that there are many is told without them,
    -- unless the condition is on their texts.
    if most is not null and coalesce(condition, '') !~ '\mc\.' then
        execute format(
            'select sum(first.chunks) from (select n.chunks from contents n %s limit $4) first',
            openbook.contents_seen(condition, as_of))
        into places
        using binds, collection, as_of, most / 16;
        if places > most then
            return null;
        end if;
    end if;
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
    passages bigint[], collection bigint, condition text, binds jsonb[])
returns bigint[]
language plpgsql stable
set search_path = openbook, pg_temp
set join_collapse_limit = 1
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    if condition is not null then
        execute format(
            'select array_agg(l.id)
             from unnest($4) l (id)
             where (select true from %s and c.passage_id = l.id limit 1)',
            openbook.placements(condition, null))
        into passages
        using binds, collection, null::timestamptz, passages;
    end if;
    return coalesce(passages, '{}');
end
$$;
comment on function openbook.admissible is 'Those of the passages that a filter admits.';

create or replace function openbook.deeper(depth integer, got integer) returns double precision
language sql immutable parallel safe
return (case when 4 * got < depth then 2.0 else 1.5 end) * depth / greatest(got, 1);
comment on function openbook.deeper is 'How many times as deep a list must be made for `depth` of it to be left, when so many were: with some to spare, and more where few were a small sample.';
