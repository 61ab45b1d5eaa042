-- Search: from a query to explained hits in one statement. hits.sql has the lists and their order,
-- query.sql what a query's text can ask for, filters.sql and predicate.sql how documents are chosen,
-- visible.sql who sees what.

create or replace function openbook.search(
    query text,
    k integer default 10,
    mode text default 'hybrid',
    filter jsonb default '{}',
    collection text default 'default',
    embedding halfvec default null,
    as_of timestamptz default null,
    predicate text default null,
    per_document boolean default false,
    skip integer default 0)
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
    asked  record := openbook.read_query(search.query);
    scope  record;
    model  models;
begin
    scope := openbook.scope(
        search.collection,
        array[search.filter, asked.filter, openbook.predicate_filter(search.predicate)],
        asked.required, asked.excluded);
    perform openbook.check_request(search.k, search.mode, search.skip, search.as_of);
    perform openbook.check_words(asked.words);
    if search.mode <> 'keyword' then
        select * into model from models m where m.serving;
        search.embedding := openbook.query_embedding(model, asked.words, search.embedding);
        if search.embedding is null then
            search.mode := 'keyword';
            raise notice 'searched by keywords alone: the query''s embedding is not known'
                using hint = 'Ask once with `openbook search`, which stores it, or pass embedding.';
        end if;
    end if;
    return query
    select * from openbook.hits(
        scope.collection_id, scope.condition, scope.binds, search.as_of, asked.required,
        case when search.mode <> 'dense' then asked.words end,
        model, case when search.mode <> 'keyword' then search.embedding end,
        openbook.first_depth(search.k, search.mode), search.k, search.skip, search.per_document);
end
$$;
comment on function openbook.search is 'The k best chunks for a query among the documents that readers see, or saw at the time as_of. query: see openbook.read_query(). mode: hybrid, dense or keyword. filter: see openbook.filter_condition(); predicate: the same, as behind where. embedding: the query''s, when openbook.query_embeddings does not have it. per_document: the best chunk of each document. skip: how many hits to leave out, for pages of one k. keyword_rank and dense_rank: places in the two lists, from 1; score: see openbook.fused().';

create or replace function openbook.check_request(
    k integer, mode text, skip integer, as_of timestamptz default null)
returns void
language plpgsql stable
set search_path = openbook, pg_temp
as $$
begin
    if mode is null or mode not in ('hybrid', 'dense', 'keyword') then
        raise exception 'there is no mode %', quote_nullable(mode)
            using errcode = 'invalid_parameter_value',
                  hint = 'Modes are hybrid, dense and keyword.';
    elsif k is null or k not between 1 and 1000 then
        raise exception 'k is %', coalesce(k::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Ask for 1 to 1000 hits.';
    elsif skip is null or skip not between 0 and 10000 then
        raise exception 'skip is %', coalesce(skip::text, 'null')
            using errcode = 'invalid_parameter_value', hint = 'Skip 0 to 10000 hits.';
    elsif as_of > statement_timestamp() + interval '1 minute' then -- clocks differ
        raise exception 'the time % is still to come', as_of
            using errcode = 'invalid_parameter_value',
                  hint = 'Leave as_of out to search what readers see now.';
    end if;
end
$$;
comment on function openbook.check_request is 'Raise the error that says which of a search''s parameters cannot be.';

create or replace function openbook.check_words(words text) returns void
language plpgsql immutable
set search_path = openbook, pg_temp
as $$
begin
    if (words ~ '\S') is not true then
        raise exception 'the query has no words'
            using errcode = 'invalid_parameter_value',
                  hint = 'Ask for some: -term and fields such as path: only choose among what they find.';
    end if;
end
$$;
comment on function openbook.check_words is 'Raise the error that says that there is nothing to search for: nothing would be nearer to it than the rest.';

create or replace function openbook.query_embedding(
    model openbook.models, words text, embedding halfvec)
returns halfvec
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
begin
    embedding := coalesce(embedding, openbook.known_embedding(model.id, words));
    if vector_dims(embedding) <> model.dimensions or model.id is null and embedding is not null then
        raise exception 'the embedding has % dimensions, the model % has %',
            vector_dims(embedding), model.name, model.dimensions
            using errcode = 'invalid_parameter_value',
                  hint = 'Embed the query with the model that serves: see openbook.models.';
    end if;
    return embedding;
end
$$;
comment on function openbook.query_embedding is 'The vector to search with: the given one, or the one that is known of the words; null where there is none.';
