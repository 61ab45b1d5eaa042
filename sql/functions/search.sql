-- Search: from a query to explained hits in one statement. A keyword list and a dense list are
-- fused, and placed in the documents that readers see. k hits come back whenever k exist:
--
-- a filter that leaves few chunks is applied first, and both lists are exact over what it leaves;
-- otherwise the lists are made first, the filter takes from them, and they are made longer until
-- enough is left. The dense list ends in an exact scan when its index has no more to give.

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
            select (b.passage_id, b.relevance)::candidate
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
language plpgsql stable security definer
set search_path = openbook, public, pg_temp
as $$
#variable_conflict use_column
declare
    few        constant integer := 10000;
    depth      constant integer := greatest(k, case search.mode when 'hybrid' then 100 end);
    within     bigint;
    asked      record := openbook.read_query(search.query);
    model      models;
    condition  text;
    binds      jsonb[];
    admitted   bigint[];
    keyword    candidate[] := '{}';
    dense      candidate[] := '{}';
begin
    select s.collection_id, s.condition, s.binds into within, condition, binds
    from openbook.scope(
        search.collection, array[search.filter, asked.filter],
        asked.required, asked.excluded) s;
    if search.mode is null or search.mode not in ('hybrid', 'dense', 'keyword') then
        raise exception 'there is no mode %', quote_nullable(search.mode)
            using errcode = 'invalid_parameter_value',
                  hint = 'Modes are hybrid, dense and keyword.';
    elsif k is null or k not between 1 and 1000 then
        raise exception 'k is %', coalesce(k::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Ask for 1 to 1000 hits.';
    end if;

    if search.mode <> 'keyword' then
        select * into model from models m where m.serving;
        search.embedding := coalesce(
            search.embedding, openbook.known_embedding(model.id, asked.words));
        if search.embedding is null then
            search.mode := 'keyword';
            raise notice 'searched by keywords alone: the query''s embedding is not known'
                using hint = 'Ask once with `openbook search`, which stores it, or pass embedding.';
        elsif vector_dims(search.embedding) is distinct from model.dimensions then
            raise exception 'the embedding has % dimensions, the model % has %',
                vector_dims(search.embedding), model.name, model.dimensions
                using errcode = 'invalid_parameter_value',
                      hint = 'Embed the query with the model that serves: see openbook.models.';
        end if;
    end if;

    if as_of is null and asked.required is not null then
        admitted := openbook.holders(within, asked.required);
        admitted := case when cardinality(admitted) <= few then array(
            select a.passage_id
            from unnest(openbook.admissible(
                array(select (h, 0)::candidate from unnest(admitted) h),
                within, condition, binds)) a) end;
    end if;
    if admitted is null and (condition is not null or as_of is not null) then
        admitted := openbook.admitted(
            within, condition, binds, as_of, case when as_of is null then few end);
    end if;
    if search.mode <> 'dense' then
        keyword := openbook.keyword_list(within, asked.words, depth, admitted, condition, binds);
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
