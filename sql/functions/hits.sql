-- From two lists to hits. k hits come back whenever k exist:
--
-- a filter that leaves few chunks is applied first, and both lists are exact over what it leaves;
-- otherwise the filter takes from the lists while they are made: from the dense one as the index
-- scan goes on, from the other as long as the share that it took of the dense one makes likely to do,
-- and longer if need be. The dense list ends in an exact scan when its index has no more to give.
--
-- Pages: the passages of the first lists come first, in the order of their scores; then those that
-- lists ten times as long have besides, and so on. Lists do not depend on the page, so that pages of
-- one k neither skip nor repeat a hit while the book stands still.

create or replace function openbook.few_admitted(
    collection bigint, condition text, binds jsonb[], as_of timestamptz, required text[])
returns bigint[]
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    few      integer;
    holders  bigint[];
begin
    if condition is null and as_of is null then
        return null;
    end if;
    -- To compare n passages one by one costs as much as to find one in n of the whole by the lists
    -- where n is some twenty times the root of the whole.
    few := greatest(1000, 20 * sqrt((select s.passages from openbook.bm25_statistics(collection) s)));
    if required is not null and as_of is null then
        holders := openbook.holders(collection, required);
    end if;
    if cardinality(holders) <= few then
        return openbook.admissible(holders, collection, condition, binds);
    end if;
    return openbook.admitted(
        collection, condition, binds, as_of, case when as_of is null then few end);
end
$$;
comment on function openbook.few_admitted is 'The passages that a search admits, where they are few or of another time; null: too many to be listed.';

create or replace function openbook.ranked(
    keyword openbook.candidate[], dense openbook.candidate[], before openbook.candidate[])
returns openbook.candidate[]
language sql stable
set search_path = openbook, pg_temp
return before || array(
    select (f.passage_id, least(f.score, before[cardinality(before)].relevance))::openbook.candidate
    from openbook.fused(keyword, dense) f
    where before = '{}' or f.passage_id <> all (array(select b.passage_id from unnest(before) b))
    order by f.score desc, f.passage_id);
comment on function openbook.ranked is 'The fused lists in the order of their scores, behind what was ranked before; nothing scores above what stands before it.';

create or replace function openbook.placed(
    ranked openbook.candidate[], keyword bigint[], dense bigint[], k integer, skip integer,
    per_document boolean, collection bigint, condition text, binds jsonb[], as_of timestamptz)
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
        'select h.rank::integer, h.relevance, h.source, h.path, p.title, p.section, h.page, p.body,
                array_position($5, h.passage_id), array_position($6, h.passage_id),
                h.document_id, h.version_id, h.chunk_id
         from (
             select o.*, row_number() over (order by o.place, o.chunk_id, o.document_id) as rank
             from (
                 select r.*, h.*,
                        row_number() over (
                            partition by h.document_id order by r.place, h.chunk_id) as nth
                 from unnest($4) with ordinality r (passage_id, relevance, place)
                 cross join lateral (
                     select %s s.name as source, d.path, c.first_page as page,
                            d.id as document_id, v.id as version_id, c.id as chunk_id
                     from %s and c.passage_id = r.passage_id
                     order by %s c.id, d.id
                     limit $7) h) o
             where o.nth = 1 or not $8
             order by rank
             limit $9 offset $10) h
         join passages p on p.id = h.passage_id
         order by 1',
        case when per_document then 'distinct on (d.id)' end,
        openbook.placements(condition, as_of),
        case when per_document then 'd.id,' end)
    using binds, collection, as_of, ranked, keyword, dense, k + skip, per_document, k, skip;
end
$$;
comment on function openbook.placed is 'The chunks in which the ranked passages stand, in the order of rank, chunk and document: k of them behind the first `skip`; one a document, if asked for.';

create or replace function openbook.documents_of(
    ranked openbook.candidate[], collection bigint, condition text, binds jsonb[], as_of timestamptz)
returns bigint
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    documents bigint;
begin
    execute format(
        'select count(distinct d.id) from %s and c.passage_id = any ($4)',
        openbook.placements(condition, as_of))
    into documents
    using binds, collection, as_of, array(select r.passage_id from unnest(ranked) r);
    return documents;
end
$$;
comment on function openbook.documents_of is 'In how many documents the ranked passages stand.';

create or replace function openbook.hits(
    collection bigint, condition text, binds jsonb[], as_of timestamptz, required text[],
    words text, model openbook.models, embedding halfvec,
    depth integer, k integer, skip integer, per_document boolean)
returns table (
    rank integer, score double precision,
    source text, path text, title text, section text, page integer, text text,
    keyword_rank integer, dense_rank integer,
    document_id bigint, version_id bigint, chunk_id bigint)
language plpgsql stable
set search_path = openbook, public, pg_temp
as $$
declare
    wanted    constant integer := k + skip;
    admitted  constant bigint[] :=
        openbook.few_admitted(collection, condition, binds, as_of, required);
    keyword   candidate[] := '{}';
    part      double precision; -- of all passages that the filter admits, as far as known
    dense     candidate[] := '{}';
    -- To agree with the words, meaning needs fewer: openbook.fused().
    reach     integer := case when words is null then depth else greatest(k, depth * 2 / 7) end;
    deeper    candidate[] := '{}';
    ranked    candidate[] := '{}';
begin
    if admitted <> '{}' and as_of is null then
        part := cardinality(admitted)::double precision / (
            select s.passages from openbook.bm25_statistics(collection) s);
    end if;
    loop
        if embedding is not null then
            select d.list, coalesce(d.share, part)
            into deeper, part
            from openbook.dense_list(
                collection, model, embedding, reach, condition, binds, admitted) d;
            -- The index, asked for more, may answer otherwise; what was found first stays first.
            dense := case when dense = '{}' then deeper else dense || array(
                select (d.passage_id, d.relevance)::candidate
                from unnest(deeper) with ordinality d (passage_id, relevance, place)
                where d.passage_id <> all (array(select b.passage_id from unnest(dense) b))
                order by d.place) end;
        end if;
        if words is not null then
            keyword := array(
                select (b.passage_id, b.relevance)::candidate
                from openbook.bm25(
                    collection, words, depth, admitted, condition, binds, part) b);
        end if;
        ranked := openbook.ranked(keyword, dense, ranked);
        exit when cardinality(keyword) < depth and cardinality(deeper) < reach
            or case when per_document
                    then openbook.documents_of(ranked, collection, condition, binds, as_of)
                    else cardinality(ranked) end >= wanted;
        depth := depth * 10;
        reach := reach * 10;
    end loop;
    return query
    select * from openbook.placed(
        case when per_document then ranked else ranked[:wanted] end,
        array(select l.passage_id from unnest(keyword) l),
        array(select l.passage_id from unnest(dense) l),
        k, skip, per_document, collection, condition, binds, as_of);
end
$$;
comment on function openbook.hits is 'The k best chunks behind the first `skip`, by the words, by the embedding, or by both; null: not by that. depth: how long the first lists are; what follows from them comes first, whatever the page.';

create or replace function openbook.first_depth(k integer, mode text) returns integer
language sql immutable
return greatest(k, case mode when 'hybrid' then 70 end);
comment on function openbook.first_depth is 'How long the first lists of a search for k hits are: two lists need more than one to agree upon the best.';
