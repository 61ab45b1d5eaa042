-- The dense list: passages nearest to an embedding, by the index where there is one, and exactly
-- where the filter leaves few or the index has no more to give.

create or replace function openbook.nearest(
    collection bigint, model openbook.models, embedding halfvec, depth integer,
    condition text, binds jsonb[],
    out list openbook.candidate[], out read integer)
language plpgsql stable
set search_path = openbook, public, pg_temp
set join_collapse_limit = 1
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    search  constant text := current_setting('hnsw.ef_search');
    scan    constant text := current_setting('hnsw.iterative_scan');
begin
    -- Short lists too are looked for among 300: of the nearest ten of 400,000 that finds .975, a
    -- hundred finds .914, and it costs 4 ms of CPU more. What a filter makes the scan read beyond
    -- them comes nearly in order, and is sorted in the end.
    perform set_config('hnsw.ef_search', least(greatest(depth, 300), 1000)::text, true);
    perform set_config('hnsw.iterative_scan', 'relaxed_order', true);
    -- `offset 0` keeps the passages inside the loop over the scan, whose order it is, whatever plan
    -- there might be: nothing has to be sorted, and the scan ends with the last one that is wanted.
    execute format(
        'select array_agg((n.id, openbook.likeness(n.distance))::candidate
                          order by n.distance, n.id),
                max(n.place)
         from (
             select p.id, near.distance, near.place
             from (
                 select e.sha256, e.distance, row_number() over () as place
                 from (
                     select e.sha256, e.embedding::halfvec(%1$s) <=> $4 as distance
                     from embeddings e
                     where e.model_id = %2$s
                     order by e.embedding::halfvec(%1$s) <=> $4
                     limit least(100 * $5, 20000)) e) near
             cross join lateral (
                 select p.id
                 from passages p
                 where p.sha256 = near.sha256 and p.collection_id = $2 and p.uses > 0 and %3$s
                 offset 0) p
             limit $5) n', model.dimensions, model.id,
        case when condition is null then 'true' else format(
            '(select true from %s and c.passage_id = p.id limit 1)',
            openbook.placements(condition, null)) end)
    into list, read
    using binds, collection, null::timestamptz, embedding, depth;
    list := coalesce(list, '{}');
    perform set_config('hnsw.ef_search', search, true);
    perform set_config('hnsw.iterative_scan', scan, true);
end
$$;
comment on function openbook.nearest is 'The first `depth` passages that the filter admits in the order of their distance from the embedding, by the index if there is one, and how many texts were read for them; fewer, where nothing nearer than the 100 * depth nearest texts is left.';

create or replace function openbook.nearest_exactly(
    collection bigint, model openbook.models, embedding halfvec, depth integer, admitted bigint[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    list  candidate[];
begin
    -- Zero is added for an order that no index has.
    execute format(
        'select array_agg((n.id, openbook.likeness(n.distance))::candidate
                          order by n.distance, n.id)
         from (
             select p.id, (e.embedding <=> $2) + 0 as distance
             from passages p
             join embeddings e using (sha256)
             where e.model_id = %s and %s
             order by distance, p.id
             limit $3) n', model.id,
        case when admitted is null then 'p.collection_id = $1 and p.uses > 0'
             else 'p.id = any ($4)' end)
    into list
    using collection, embedding, depth, admitted;
    return coalesce(list, '{}');
end
$$;
comment on function openbook.nearest_exactly is 'The `depth` passages of the collection nearest to the embedding, of the admitted ones where these are given, each one compared.';

create or replace function openbook.likeness(distance double precision) returns double precision
language sql immutable parallel safe
return 1 - least(distance, 2) / 2;
comment on function openbook.likeness is 'From 0 for opposite directions to 1 for the same, by cosine distance, which is NaN for a vector of zeros: like nothing.';

create or replace function openbook.dense_list(
    collection bigint, model openbook.models, embedding halfvec, depth integer,
    condition text, binds jsonb[], admitted bigint[],
    out list openbook.candidate[], out share double precision)
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    indexed  constant boolean := to_regclass(format('embeddings_%s_hnsw', model.id)) is not null;
    -- The index knows all collections: for a small one beside large ones it would read too many.
    small    constant boolean := 5000 >= (
        select s.passages from openbook.bm25_statistics(collection) s);
    found    record;
begin
    if admitted is null and not (small and indexed) then
        found := openbook.nearest(collection, model, embedding, depth, condition, binds);
        if cardinality(found.list) >= depth then
            list := found.list;
            share := cardinality(list)::double precision / found.read;
            return;
        end if;
    end if;
    if admitted is null and condition is not null then
        admitted := openbook.admitted(collection, condition, binds, null, null);
    end if;
    list := openbook.nearest_exactly(collection, model, embedding, depth, admitted);
end
$$;
comment on function openbook.dense_list is 'The `depth` passages nearest to the embedding of those that the filter admits; by the index where it has them, and then the share of what was read that the filter admitted.';
