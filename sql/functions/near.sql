-- Around a hit: the chunks that stand before and behind it, and those that are like it.

create or replace function openbook.neighbours(
    chunk bigint, before integer default 1, after integer default 1)
returns table (
    distance integer, section text, page integer, text text, chunk_id bigint)
language sql stable
set search_path = openbook, pg_temp
as $$
    select n.ordinal - c.ordinal, p.section, n.first_page, p.body, n.id
    from chunks c
    join chunks n using (content_id)
    join passages p on p.id = n.passage_id
    where c.id = neighbours.chunk
      and n.ordinal between c.ordinal - before and c.ordinal + after
      and n.ordinal <> c.ordinal
    order by n.ordinal;
$$;
comment on function openbook.neighbours is 'The chunks that stand before and after a chunk of a document that the session may read, in reading order. distance: how many chunks from it, negative before it.';

create or replace function openbook.seen_chunk(
    chunk bigint, as_of timestamptz,
    out passage bigint, out collection text, out source text, out path text, out current boolean,
    out valid_from timestamptz, out valid_to timestamptz)
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    scope   record;
    moment  timestamptz;
begin
    select l.name into collection
    from chunks c
    join contents n on n.id = c.content_id
    join collections l on l.id = n.collection_id
    where c.id = chunk and l.id in (select openbook.my_collections());
    if found then
        scope := openbook.scope(collection, '{}', null, null);
        -- Now, or at the time asked for; else when it was seen last.
        for moment in
            select as_of
            union all
            (select v.valid_from
             from versions v
             join chunks c using (content_id)
             where c.id = chunk
             order by v.id desc)
        loop
            execute format(
                'select c.passage_id, s.name, d.path, d.version_id is not distinct from v.id,
                        v.valid_from, v.valid_to
                 from %s and c.id = $4
                 order by v.id desc
                 limit 1', openbook.placements(scope.condition, moment))
            into passage, source, path, current, valid_from, valid_to
            using scope.binds, scope.collection_id, moment, chunk;
            exit when passage is not null;
        end loop;
    end if;
    if passage is null then
        raise exception 'there is no chunk %', coalesce(chunk::text, 'null')
            using errcode = 'invalid_parameter_value',
                  hint = 'Take the chunk_id of a hit; chunks that you may not read are not there.';
    end if;
end
$$;
comment on function openbook.seen_chunk is 'Where a chunk stands, if the session may read it: in a current version, or in the last one that it may read. Anything else is not there.';

create or replace function openbook.telling_words(collection bigint, passage bigint, most integer)
returns text
language sql stable
set search_path = openbook, public, pg_temp
as $$
    select string_agg(t.lexeme, ' ' order by t.weight desc)
    from (
        select u.lexeme, u.weight
        from passages p,
             openbook.bm25_query(collection, concat_ws(' ', p.title, p.section, p.body)) q,
             unnest(q.lexemes, q.weights) u (lexeme, weight)
        where p.id = passage
        order by u.weight desc
        limit most) t;
$$;
comment on function openbook.telling_words is 'The lexemes of a passage that tell most about it: frequent in it, rare elsewhere.';

create or replace function openbook.more_like(
    chunk bigint,
    k integer default 10,
    mode text default 'hybrid',
    filter jsonb default '{}',
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
    seen       record := openbook.seen_chunk(more_like.chunk, null);
    scope      record;
    model      models;
    embedding  halfvec;
begin
    perform openbook.check_request(more_like.k, more_like.mode, more_like.skip);
    scope := openbook.scope(
        seen.collection,
        array[more_like.filter, openbook.predicate_filter(more_like.predicate)], null, null);
    scope.binds := scope.binds || to_jsonb(seen.passage);
    scope.condition := concat_ws(
        ' and ', scope.condition,
        format('c.passage_id <> $1[%s]::bigint', cardinality(scope.binds)));
    if more_like.mode <> 'keyword' then
        select * into model from models m where m.serving;
        embedding := (
            select e.embedding
            from embeddings e
            join passages p using (sha256)
            where p.id = seen.passage and e.model_id = model.id);
    end if;
    return query
    select * from openbook.hits(
        scope.collection_id, scope.condition, scope.binds, null, null,
        case when more_like.mode <> 'dense' or embedding is null
             then openbook.telling_words(scope.collection_id, seen.passage, 12) end,
        model, embedding,
        openbook.first_depth(more_like.k, more_like.mode),
        more_like.k, more_like.skip, more_like.per_document);
end
$$;
comment on function openbook.more_like is 'The chunks most like a chunk, by its embedding and by the twelve words that tell most about it. Its own text is left out, wherever it stands. Parameters and columns are those of openbook.search().';
