-- The dense list: passages nearest to an embedding, by the index where there is one, and exactly
-- where the filter leaves few or the index has no more to give.

create or replace function openbook.nearest(
    collection bigint, model openbook.models, embedding halfvec, reach integer,
    out list openbook.candidate[], out read integer)
language plpgsql stable
set search_path = openbook, public, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    search  constant text := current_setting('hnsw.ef_search');
    scan    constant text := current_setting('hnsw.iterative_scan');
begin
    -- Short lists too are looked for among a hundred: it is they of whom most would be missed.
    perform set_config('hnsw.ef_search', least(greatest(reach, 100), 1000)::text, true);
    perform set_config('hnsw.iterative_scan', 'strict_order', true);
    execute format(
        'with nearest as materialized (
             select e.sha256, e.embedding::halfvec(%1$s) <=> $1 as distance
             from embeddings e
             where e.model_id = %2$s
             order by e.embedding::halfvec(%1$s) <=> $1
             limit $2
         )
         select array_agg((p.id, openbook.likeness(n.distance))::candidate
                          order by n.distance, p.id),
                (select count(*) from nearest)
         from nearest n
         join passages p using (sha256)
         where p.collection_id = $3 and p.uses > 0', model.dimensions, model.id)
    into list, read
    using embedding, reach, collection;
    perform set_config('hnsw.ef_search', search, true);
    perform set_config('hnsw.iterative_scan', scan, true);
end
$$;
comment on function openbook.nearest is 'The passages in use among the `reach` texts nearest to the embedding, by the index if there is one, and how many texts there were.';

create or replace function openbook.nearest_exactly(
    collection bigint, model openbook.models, embedding halfvec, depth integer,
    admitted bigint[], condition text, binds jsonb[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    scope  text := 'p.collection_id = $2 and p.uses > 0';
    list   candidate[];
begin
    if admitted is not null then
        scope := 'p.id = any ($6)';
    elsif condition is not null then
        scope := format(
            '%s and exists (select from %s and c.passage_id = p.id)',
            scope, openbook.placements(condition, null));
    end if;
    -- Zero is added for an order that no index has.
    execute format(
        'select array_agg((n.id, openbook.likeness(n.distance))::candidate
                          order by n.distance, n.id)
         from (
             select p.id, (e.embedding <=> $4) + 0 as distance
             from passages p
             join embeddings e using (sha256)
             where e.model_id = %s and %s
             order by distance, p.id
             limit $5) n', model.id, scope)
    into list
    using binds, collection, null::timestamptz, embedding, depth, admitted;
    return coalesce(list, '{}');
end
$$;
comment on function openbook.nearest_exactly is 'The `depth` passages nearest to the embedding of those that the filter admits, each one compared.';

create or replace function openbook.likeness(distance double precision) returns double precision
language sql immutable parallel safe
return 1 - least(distance, 2) / 2;
comment on function openbook.likeness is 'From 0 for opposite directions to 1 for the same, by cosine distance, which is NaN for a vector of zeros: like nothing.';

create or replace function openbook.dense_list(
    collection bigint, model openbook.models, embedding halfvec, depth integer,
    admitted bigint[], condition text, binds jsonb[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    indexed  constant boolean := to_regclass(format('embeddings_%s_hnsw', model.id)) is not null;
    -- The index knows all collections: for a small one beside large ones it would read too many.
    small    constant boolean := 5000 >= (
        select s.passages from openbook.bm25_statistics(collection) s);
    reach    integer := depth + depth / 4;
    found    record;
    list     candidate[];
begin
    while admitted is null and not (small and indexed) and reach <= 20000 loop
        found := openbook.nearest(collection, model, embedding, reach);
        list := openbook.admissible(found.list, depth, collection, condition, binds);
        if cardinality(list) >= depth or found.read < reach and not indexed then
            return list[:depth];
        end if;
        reach := reach * openbook.deeper(depth, cardinality(list));
    end loop;
    return openbook.nearest_exactly(
        collection, model, embedding, depth, admitted, condition, binds);
end
$$;
comment on function openbook.dense_list is 'The `depth` passages nearest to the embedding of those that the filter admits; by the index where it has them.';
