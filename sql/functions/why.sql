-- Why a chunk is a hit of a query, or why it is none.

create or replace function openbook.demands(
    chunk bigint, moment timestamptz, collection text, filters jsonb[], required text[],
    excluded text[])
returns jsonb
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    answers  jsonb := '[]';
    demand   record;
    test     record;
    met      boolean;
begin
    for demand in
        select f.key as name, jsonb_build_object(f.key, f.value) as filter,
               jsonb_build_object(f.key, f.value)::text as said, null::text[] as need, null::text[] as bar
        from unnest(filters) given,
             coalesce(given, '{}') filter,
             jsonb_array_elements(
                 case when filter - 'and' = '{}' then coalesce(filter -> 'and', '[]')
                      else jsonb_build_array(filter) end) part,
             jsonb_each(part) f
        union all
        select null, null, format('"%s"', r), array[r], null from unnest(required) r
        union all
        select null, null, format('-"%s"', e), null, array[e] from unnest(excluded) e
    loop
        -- With rights: a text may stand in another document too, of which nothing is to be told.
        test := openbook.scope(collection, array[demand.filter], demand.need, demand.bar);
        execute format(
            'select exists (select from %s and c.id = $4)',
            openbook.placements(test.condition, moment))
        into met
        using test.binds, test.collection_id, moment, chunk;
        answers := answers || jsonb_build_object('asks', demand.said, 'met', met);
    end loop;
    return answers;
end
$$;
comment on function openbook.demands is 'What filters and a query''s text ask of a chunk, and whether it meets each.';

create or replace function openbook.matches(
    passage bigint, collection bigint, words text, out score double precision, out list jsonb)
language sql stable
set search_path = openbook, public, pg_temp
as $$
    select sum(m.weight * m.part),
           coalesce(jsonb_agg(jsonb_build_object(
               'lexeme', m.lexeme, 'count', m.count, 'weight', round(m.weight::numeric, 3),
               'score', round((m.weight * m.part)::numeric, 3)) order by m.weight * m.part desc), '[]')
    from (
        select u.lexeme, u.weight, t.count,
               openbook.bm25_weight(t.count, p.length, q.average_length, l.k1, l.b) as part
        from passages p
        join collections l on l.id = p.collection_id,
             openbook.bm25_query(collection, words) q,
             unnest(q.lexemes, q.weights) u (lexeme, weight)
        cross join lateral openbook.lexeme_count(
            p.lexemes, openbook.lexeme_query(u.lexeme)) t (count)
        where p.id = passage) m;
$$;
comment on function openbook.matches is 'The BM25 score of a passage, and what each of the query''s lexemes adds to it: how often it stands there, how much it weighs.';

create or replace function openbook.why(
    query text,
    chunk bigint,
    k integer default 10,
    mode text default 'hybrid',
    filter jsonb default '{}',
    embedding halfvec default null,
    as_of timestamptz default null,
    predicate text default null)
returns table (
    reason text, rank integer, score double precision,
    keyword_rank integer, keyword_score double precision, lexemes jsonb,
    dense_rank integer, similarity double precision,
    demands jsonb, current boolean, valid_to timestamptz,
    source text, path text, chunk_id bigint)
language plpgsql stable security definer
set search_path = openbook, public, pg_temp
as $$
#variable_conflict use_column
declare
    deepest   constant integer := 1000;
    asked     record := openbook.read_query(why.query);
    seen      record := openbook.seen_chunk(why.chunk, why.as_of);
    filters   jsonb[];
    scope     record;
    model     models;
    hit       record;
    words     record;
    likeness  double precision;
    met       jsonb;
begin
    perform openbook.check_request(why.k, why.mode, 0, why.as_of);
    perform openbook.check_words(asked.words);
    filters := array[why.filter, asked.filter, openbook.predicate_filter(why.predicate)];
    scope := openbook.scope(seen.collection, filters, asked.required, asked.excluded);
    if why.mode <> 'keyword' then
        select * into model from models m where m.serving;
        why.embedding := openbook.query_embedding(model, asked.words, why.embedding);
        if why.embedding is null then
            why.mode := 'keyword';
        end if;
    end if;
    select h.* into hit
    from openbook.hits(
        scope.collection_id, scope.condition, scope.binds, why.as_of, asked.required,
        case when why.mode <> 'dense' then asked.words end,
        model, case when why.mode <> 'keyword' then why.embedding end,
        openbook.first_depth(why.k, why.mode), deepest, 0, false) h
    where h.chunk_id = why.chunk
    limit 1;
    words := openbook.matches(seen.passage, scope.collection_id, asked.words);
    likeness := (
        select 1 - (e.embedding <=> why.embedding)
        from embeddings e
        join passages p using (sha256)
        where p.id = seen.passage and e.model_id = model.id);
    met := openbook.demands(
        why.chunk, case when seen.current then null else coalesce(why.as_of, seen.valid_from) end,
        seen.collection, filters, asked.required, asked.excluded);
    return query select
        case when hit.rank <= why.k then 'a hit'
             when hit.rank is not null then 'a hit behind the first ' || why.k
             when not seen.current and why.as_of is null then 'its version is no longer current'
             when jsonb_path_exists(met, '$[*] ? (@.met == false)') then 'it does not meet all demands'
             when why.mode = 'keyword' and words.score = 0 then 'it has none of the query''s words'
             when why.mode = 'dense' and likeness is null then 'it has no embedding yet'
             else 'not among the first ' || deepest end,
        hit.rank, hit.score, hit.keyword_rank, nullif(words.score, 0), words.list,
        hit.dense_rank, likeness, met, seen.current, seen.valid_to,
        seen.source, seen.path, why.chunk;
end
$$;
comment on function openbook.why is 'One row: why the chunk is a hit of a search with these parameters, or why not. rank and score: as openbook.search() gives them, among the first 1000; keyword_score: BM25, of what each lexeme adds; similarity: cosine of the embeddings; demands: what filters and the query''s text ask for, and whether it is met; current, valid_to: whether readers see its version, and until when they did. A chunk that the session may not read is not there.';
