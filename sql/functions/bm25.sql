-- BM25 as Lucene computes it, over the passages in use of a collection; k1 = 1.2 and b = 0.75 unless
-- openbook.set_bm25() said otherwise.
--
-- Scores are exact: counts, lengths and document frequencies are those of the caller's snapshot.
-- Blocks only say which passages can be among the best. Their weights were computed with the mean
-- length of their time; by the share that it has moved since, a weight may be off, and no more.

create or replace function openbook.bm25_weight(
    count double precision, length integer, average_length double precision,
    k1 double precision default 1.2, b double precision default 0.75)
returns double precision
language sql immutable parallel safe
return count / (count + k1 * (1 - b + b * length / average_length));
comment on function openbook.bm25_weight is 'What a lexeme that stands count times in a passage of that length adds to its score, before the lexeme''s rarity.';

create or replace function openbook.bm25_rarity(passages bigint, frequency bigint)
returns double precision
language sql immutable parallel safe
return ln(1 + (passages - frequency + 0.5) / (frequency + 0.5));
comment on function openbook.bm25_rarity is 'The inverse document frequency of a lexeme that stands in so many of the passages.';

create or replace function openbook.lexeme_query(lexeme text) returns tsquery
language sql immutable parallel safe
return ('''' || replace(replace(lexeme, '\', '\\'), '''', '''''') || '''')::tsquery;
comment on function openbook.lexeme_query is 'The tsquery that matches exactly this lexeme.';

-- With equal label weights, ts_rank is the sum of 1/i² up to the count, divided by the sum without
-- end. What the one lacks of the other is 1 / (count + 1/2), but for less than rounding takes away.
create or replace function openbook.lexeme_count(lexemes tsvector, lexeme tsquery)
returns double precision
language sql immutable parallel safe
return round(
    1 / (1.64493406685 * (1 - ts_rank('{1, 1, 1, 1}', lexemes, lexeme)::double precision)) - 0.5);
comment on function openbook.lexeme_count is 'How often the lexeme stands in the text: 0 to 256, more positions a tsvector does not keep.';

create or replace function openbook.bm25_statistics(
    collection bigint, out passages bigint, out average_length double precision)
language plpgsql stable
set search_path = openbook, pg_temp
set plan_cache_mode = force_generic_plan
as $$
begin
    select sum(part.passages),
           coalesce(nullif(sum(part.length), 0)::double precision / sum(part.passages), 1)
    into bm25_statistics.passages, bm25_statistics.average_length
    from (
        select coalesce(sum(b.live_slots), 0) as passages, sum(b.live_length) as length
        from bm25_blocks b
        where b.collection_id = collection
        union all
        select coalesce(sum(sign(p.uses - 0.5)), 0), sum(sign(p.uses - 0.5) * p.length)
        from bm25_pending q
        join openbook.passages p on p.id = q.passage_id
        where q.collection_id = collection) part;
end
$$;
comment on function openbook.bm25_statistics is 'How many passages of the collection are in use, and their mean length.';

create or replace function openbook.bm25_query(
    collection bigint, query text,
    out lexemes text[], out weights double precision[], out average_length double precision,
    out rarity double precision)
language plpgsql stable
set search_path = openbook, public, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    total bigint;
begin
    select s.passages, s.average_length
    into total, bm25_query.average_length
    from openbook.bm25_statistics(collection) s;

    with said as materialized (
        select u.lexeme, openbook.lexeme_query(u.lexeme) as query,
               max(cardinality(u.positions)) as times
        from (select distinct s.language from sources s where s.collection_id = collection) spoken
        cross join unnest(openbook.lexemes(spoken.language, bm25_query.query)) u
        group by u.lexeme
    ), counted as (
        select p.lexeme,
               case when b.live_slots = b.slots then p.entries
                    else bit_count(binary_quantize(p.weights::vector) & b.live) end as passages
        from said
        join bm25_postings p on p.collection_id = collection and p.lexeme = said.lexeme
        join bm25_blocks b on b.id = p.block_id
        union all
        select said.lexeme, sign(p.uses - 0.5)
        from bm25_pending q
        join openbook.passages p on p.id = q.passage_id
        join said on p.lexemes @@ said.query
        where q.collection_id = collection
    ), frequencies as (
        select c.lexeme, sum(c.passages)::bigint as frequency from counted c group by c.lexeme
    ), weighed as (
        select said.lexeme, said.times, f.frequency,
               openbook.bm25_rarity(total, coalesce(f.frequency, 0)) as rarity
        from said
        left join frequencies f using (lexeme)
    )
    select array_agg(w.lexeme order by w.lexeme),
           array_agg(w.times * w.rarity order by w.lexeme),
           sum(w.rarity ^ 2) filter (where w.frequency > 0)
               / sum(w.rarity) filter (where w.frequency > 0) / ln(1 + total)
    into bm25_query.lexemes, bm25_query.weights, bm25_query.rarity
    from weighed w;
end
$$;
comment on function openbook.bm25_query is 'The query''s lexemes in each language of the collection''s sources, null where it has none; how much each weighs; the mean length; and how rare those are that stand anywhere, 0 to 1, the rarest counting most.';

create or replace function openbook.bm25_sealed(
    collection bigint, lexemes text[], weights double precision[], average_length double precision,
    depth integer)
returns bigint[]
language plpgsql stable
set search_path = openbook, public, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
declare
    width      constant integer := 4096;
    blocks     bigint[];
    bounds     double precision[];
    margin     double precision;
    factors    vector[];
    sample     real[];
    place      integer;
    threshold  real;
    cutoff     vector;
    hopeful    bigint[];
    in_block   bigint[];
    in_slot    integer[];
    complete   boolean;
begin
    -- No passage of a block scores above the sum of the peaks there.
    select array_agg(b.id order by b.bound desc), array_agg(b.bound order by b.bound desc),
           0.9999 / max(greatest(b.average_length / bm25_sealed.average_length,
                                 bm25_sealed.average_length / b.average_length)) ^ 2
    into blocks, bounds, margin
    from (
        select b.id, b.average_length, sum(t.weight * p.peak) as bound
        from unnest(lexemes, weights) t (lexeme, weight)
        join bm25_postings p on p.collection_id = collection and p.lexeme = t.lexeme
        join bm25_blocks b on b.id = p.block_id
        group by b.id) b;
    if blocks is null then
        return '{}';
    end if;
    factors := array(select array_fill(w, array[width])::vector from unnest(weights) w);

    -- The score above which the best `depth` lie is guessed from the most promising block.
    select array_agg(score order by score desc) into sample
    from (
        select unnest(summed.scores::real[]) as score
        from (
            select sum(p.weights::vector * subvector(t.factor, 1, b.slots)) as scores
            from unnest(lexemes, factors) t (lexeme, factor)
            join bm25_postings p on p.collection_id = collection and p.lexeme = t.lexeme
            join bm25_blocks b on b.id = p.block_id
            where p.block_id = blocks[1]) summed
        order by score desc
        limit depth) best;
    place := 3 + 2 * depth / cardinality(blocks);

    loop
        threshold := coalesce(sample[place], 0);
        cutoff := array_fill(threshold * margin, array[width])::vector;
        hopeful := blocks[:(select count(*) from unnest(bounds) b where b >= threshold * margin)];
        with summed as materialized (
            select b.id, b.slots, b.live,
                   sum(p.weights::vector * case when b.slots = width then t.factor
                                                else subvector(t.factor, 1, b.slots) end) as scores
            from unnest(lexemes, factors) t (lexeme, factor)
            join bm25_postings p on p.collection_id = collection and p.lexeme = t.lexeme
            join bm25_blocks b on b.id = p.block_id
            where p.block_id = any (hopeful)
            group by b.id
        ), marked as materialized (
            select s.id, s.slots, s.scores,
                   (binary_quantize(s.scores - subvector(cutoff, 1, s.slots))
                    & s.live)::text as bits
            from summed s
        ), scored as materialized (
            select m.id, z.slot, vector_norm(subvector(m.scores, z.slot, 1)) as score
            from marked m
            cross join lateral (
                select (sum(octet_length(zeros) + 1) over (order by n))::integer as slot
                from string_to_table(m.bits, '1') with ordinality z (zeros, n)) z
            where z.slot <= m.slots
        ), last as (
            select coalesce(min(score), 0) as score
            from (select score from scored order by score desc offset depth - 1 limit 1) s
        )
        select array_agg(scored.id), array_agg(scored.slot), max(last.score) >= threshold
        into in_block, in_slot, complete
        from last
        join scored on scored.score >= last.score * margin;
        exit when complete or threshold = 0;
        place := 4 * place;
    end loop;

    return array(
        select s.passage_id
        from unnest(in_block, in_slot) found (block_id, slot)
        join bm25_slots s using (block_id, slot));
end
$$;
comment on function openbook.bm25_sealed is 'Passages with a live slot, among them the `depth` that score best: a score as the blocks have it is off by the same share as the mean length, either way, so that nothing below the last by more than twice that share can be better.';

create or replace function openbook.bm25_scores(
    candidates bigint[], lexemes text[], weights double precision[],
    average_length double precision, depth integer)
returns table (passage_id bigint, score double precision)
language plpgsql stable
set search_path = openbook, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    queries  tsquery[] := array(select openbook.lexeme_query(l) from unnest(lexemes) l);
    either   tsquery := (select string_agg(q::text, '|')::tsquery from unnest(queries) q);
    k1       double precision;
    b        double precision;
begin
    select c.k1, c.b into k1, b
    from passages p
    join collections c on c.id = p.collection_id
    where p.id = candidates[1];
    return query
    select p.id, s.score
    from passages p
    cross join lateral (
        select sum(t.weight * openbook.bm25_weight(
                   openbook.lexeme_count(p.lexemes, t.query),
                   p.length, bm25_scores.average_length, k1, b)) as score
        from unnest(queries, weights) t (query, weight)) s
    where p.id = any (candidates) and p.lexemes @@ either
    order by s.score desc, p.id
    limit depth;
end
$$;
comment on function openbook.bm25_scores is 'The best of the candidates, which are of one collection, by their BM25 scores, computed from the passages themselves.';

create or replace function openbook.bm25_reached(
    collection bigint, lexemes text[], weights double precision[], average_length double precision,
    depth integer, out pending bigint[], out sealed bigint[])
language plpgsql stable
set search_path = openbook, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    gone  bigint[];
begin
    select coalesce(array_agg(p.id) filter (where p.uses > 0), '{}'),
           coalesce(array_agg(p.id) filter (where p.uses = 0), '{}')
    into pending, gone
    from bm25_pending w
    join passages p on p.id = w.passage_id
    where w.collection_id = collection;
    sealed := array(
        select s.id
        from unnest(openbook.bm25_sealed(
            collection, lexemes, weights, average_length, depth + cardinality(gone))) s (id)
        where s.id <> all (gone));
end
$$;
comment on function openbook.bm25_reached is 'Passages in use: all that are not sealed, and of the sealed some, among them the `depth` that score best; fewer than that are all that match.';

create or replace function openbook.bm25(
    collection bigint, query text, depth integer, admitted bigint[] default null,
    condition text default null, binds jsonb[] default null, share double precision default null)
returns table (passage_id bigint, score double precision, relevance double precision)
language plpgsql stable
set search_path = openbook, pg_temp
set plan_cache_mode = force_generic_plan
as $$
declare
    most    double precision;
    q       record;
    reach   integer := depth;
    found   record;
    within  bigint[];
begin
    select * into q from openbook.bm25_query(collection, query);
    if q.lexemes is null then
        return;
    end if;
    if admitted is null and condition is not null then
        share := coalesce(share, 0.25);
    end if;
    if share is not null then
        -- As deep as the share makes likely to do, and half as deep again.
        reach := least(1.5 * depth / share, 1e9);
    end if;
    -- To look up an admitted passage costs some four times what the blocks cost for one more.
    while admitted is null or share is not null and 4 * reach < cardinality(admitted) loop
        found := openbook.bm25_reached(
            collection, q.lexemes, q.weights, q.average_length, reach);
        within := case
            when admitted is null
                then openbook.admissible(found.sealed, collection, condition, binds)
            else array(select f.id from unnest(found.sealed) f (id)
                       join unnest(admitted) a (id) using (id)) end;
        if cardinality(within) >= depth or cardinality(found.sealed) < reach then
            admitted := within || case
                when admitted is null
                    then openbook.admissible(found.pending, collection, condition, binds)
                else array(select f.id from unnest(found.pending) f (id)
                           join unnest(admitted) a (id) using (id)) end;
            exit;
        end if;
        reach := least(reach * least(50, openbook.deeper(depth, cardinality(within))), 1e9);
    end loop;
    most := (select sum(w) from unnest(q.weights) w);
    return query
    select s.passage_id, s.score, s.score / most * q.rarity ^ 2
    from openbook.bm25_scores(admitted, q.lexemes, q.weights, q.average_length, depth) s;
end
$$;
comment on function openbook.bm25 is 'The `depth` passages in use that match the query best, best first, ties by id; only among the admitted ones where these are given, which may be out of use where no share is, or among those that a condition with its binds admits; share: what part of all in use they are, or are thought to be. relevance: 0 to 1, the score''s share of what no text can reach, a passage of the query''s lexemes alone without end, times the square of how rare the query''s words are.';
