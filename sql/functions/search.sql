-- Search: from a query to explained hits in one statement. A keyword list and a dense list, fused by
-- rank, placed in the documents that readers see. k hits come back whenever k exist:
--
-- a filter that leaves few chunks is applied first, and both lists are exact over what it leaves;
-- otherwise the lists are made first, the filter takes from them, and they are made longer until
-- enough is left. The dense list ends in an exact scan when its index has no more to give.

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

create or replace function openbook.keyword_list(
    collection bigint, query text, depth integer, admitted bigint[], condition text, binds jsonb[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    reach  integer := depth;
    found  candidate[];
    list   candidate[];
begin
    loop
        found := array(
            select (b.passage_id, b.share)::candidate
            from openbook.bm25(collection, query, reach, admitted) b);
        exit when admitted is not null;
        list := openbook.admissible(found, collection, condition, binds);
        if cardinality(list) >= depth or cardinality(found) < reach then
            return list[:depth];
        end if;
        -- As deep as the share that was left makes likely to do.
        reach := reach * least(50, 2 * depth / greatest(cardinality(list), 1));
    end loop;
    return found;
end
$$;
comment on function openbook.keyword_list is 'The `depth` passages that match the query best, of those that the filter admits.';

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
    perform set_config('hnsw.ef_search', least(reach, 1000)::text, true);
    perform set_config('hnsw.iterative_scan', 'strict_order', true);
    execute format(
        'with nearest as materialized (
             select e.sha256, e.embedding::halfvec(%1$s) <=> $1 as distance
             from embeddings_%2$s e
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
             join embeddings_%s e using (sha256)
             where %s
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
return greatest(1 - distance, 0.03) ^ 2;
comment on function openbook.likeness is 'The square of the cosine that belongs to a cosine distance; never zero, so that a rank still counts.';

create or replace function openbook.dense_list(
    collection bigint, model openbook.models, embedding halfvec, depth integer,
    admitted bigint[], condition text, binds jsonb[])
returns openbook.candidate[]
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    indexed  constant boolean := to_regclass(format('embeddings_%s_hnsw', model.id)) is not null;
    reach    integer := depth + depth / 4;
    found    record;
    list     candidate[];
begin
    while admitted is null and reach <= 20000 loop
        found := openbook.nearest(collection, model, embedding, reach);
        list := openbook.admissible(found.list, collection, condition, binds);
        if cardinality(list) >= depth or found.read < reach and not indexed then
            return list[:depth];
        end if;
        reach := reach * greatest(4, 2 * depth / greatest(cardinality(list), 1));
    end loop;
    return openbook.nearest_exactly(
        collection, model, embedding, depth, admitted, condition, binds);
end
$$;
comment on function openbook.dense_list is 'The `depth` passages nearest to the embedding of those that the filter admits; by the index where it has them.';

-- Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), k = 60, where a rank counts as
-- much as its passage is relevant: the first of a list that hardly matches is not worth the first of
-- one that matches well. tests/bench/bench_search.py compares it with plain ranks.
create or replace function openbook.fused(
    keyword openbook.candidate[], dense openbook.candidate[])
returns table (passage_id bigint, score double precision, keyword_rank integer, dense_rank integer)
language sql immutable
set search_path = openbook, pg_temp
as $$
    select passage_id,
           61 * (coalesce(0.55 * k.relevance / (60 + k.rank), 0)
                 + coalesce(0.45 * d.relevance / (60 + d.rank), 0)),
           k.rank::integer, d.rank::integer
    from unnest(keyword) with ordinality k (passage_id, relevance, rank)
    full join unnest(dense) with ordinality d (passage_id, relevance, rank) using (passage_id);
$$;
comment on function openbook.fused is 'Two lists of passages as one; scores are from 0 to 1.';

create or replace function openbook.placed(
    keyword openbook.candidate[], dense openbook.candidate[], k integer,
    collection bigint, condition text, binds jsonb[], as_of timestamptz)
returns table (
    rank integer, score double precision,
    source text, path text, title text, section text, page integer, text text,
    keyword_rank integer, dense_rank integer,
    document_id bigint, version_id bigint, chunk_id bigint)
language plpgsql stable
set search_path = openbook, pg_temp
set join_collapse_limit = 1
set enable_hashjoin = off
set enable_mergejoin = off
as $$
begin
    return query execute format(
        'select row_number() over (order by f.score desc, h.chunk_id)::integer,
                f.score, h.source, h.path, p.title, p.section, h.page, p.body,
                f.keyword_rank, f.dense_rank, h.document_id, h.version_id, h.chunk_id
         from (
             select * from openbook.fused($4, $5) order by score desc, passage_id limit $6) f
         join passages p on p.id = f.passage_id
         cross join lateral (
             select s.name as source, d.path, c.first_page as page,
                    d.id as document_id, v.id as version_id, c.id as chunk_id
             from %s and c.passage_id = f.passage_id
             order by c.id
             limit $6) h
         order by 1
         limit $6', openbook.placements(condition, as_of))
    using binds, collection, as_of, keyword, dense, k;
end
$$;
comment on function openbook.placed is 'The first k chunks in which the fused lists'' passages stand; equal scores by chunk id.';

create or replace function openbook.search(
    query text,
    k integer default 10,
    mode text default 'hybrid',
    filter jsonb default '{}',
    collection text default 'default',
    embedding halfvec default null,
    as_of timestamptz default null)
returns table (
    rank integer, score double precision,
    source text, path text, title text, section text, page integer, text text,
    keyword_rank integer, dense_rank integer,
    document_id bigint, version_id bigint, chunk_id bigint)
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
#variable_conflict use_column
declare
    few        constant integer := 10000;
    depth      constant integer := case when search.mode = 'hybrid' then greatest(k, 100) else k end;
    within     bigint := (select c.id from collections c where c.name = search.collection);
    model      models;
    condition  text;
    binds      jsonb[];
    admitted   bigint[];
    keyword    candidate[] := '{}';
    dense      candidate[] := '{}';
begin
    if within is null then
        raise exception 'there is no collection %', coalesce(quote_literal(search.collection), 'null')
            using errcode = 'invalid_parameter_value', hint = 'See the table openbook.collections.';
    elsif search.mode is null or search.mode not in ('hybrid', 'dense', 'keyword') then
        raise exception 'there is no mode %', coalesce(quote_literal(search.mode), 'null')
            using errcode = 'invalid_parameter_value', hint = 'Modes are hybrid, dense and keyword.';
    elsif k is null or k not between 1 and 1000 then
        raise exception 'k is %', coalesce(k::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Ask for 1 to 1000 hits.';
    end if;

    if search.mode <> 'keyword' then
        select * into model from models m where m.serving;
        search.embedding := coalesce(search.embedding, (
            select q.embedding from query_embeddings q
            where q.model_id = model.id and q.sha256 = sha256(convert_to(search.query, 'UTF8'))));
        if search.embedding is null then
            search.mode := 'keyword';
            raise notice 'searched by keywords alone: the query''s embedding is not known'
                using hint = 'Ask the same once with `openbook search`, which stores it; or pass embedding =>.';
        elsif vector_dims(search.embedding) is distinct from model.dimensions then
            raise exception 'the embedding has % dimensions, the model % has %',
                vector_dims(search.embedding), model.name, model.dimensions
                using errcode = 'invalid_parameter_value',
                      hint = 'Embed the query with the model that serves; see the table openbook.models.';
        end if;
    end if;

    if search.filter <> '{}' then
        select f.condition, f.binds into condition, binds
        from openbook.filter_condition(search.filter, 0, '{}') f;
    end if;
    if condition is not null or as_of is not null then
        admitted := openbook.admitted(
            within, condition, binds, as_of, case when as_of is null then few end);
    end if;
    if search.mode <> 'dense' then
        keyword := openbook.keyword_list(within, search.query, depth, admitted, condition, binds);
    end if;
    if search.mode <> 'keyword' then
        dense := openbook.dense_list(
            within, model, search.embedding, depth, admitted, condition, binds);
    end if;

    return query
    select * from openbook.placed(keyword, dense, k, within, condition, binds, as_of);
end
$$;
comment on function openbook.search is 'The k best chunks for a query among the documents that readers see, or saw at the time as_of. mode: hybrid, dense or keyword. filter: see openbook.filter_condition(). embedding: the query''s, when openbook.query_embeddings does not have it. keyword_rank and dense_rank: places in the two lists, from 1; score: see openbook.fused().';
