-- A convex combination of both lists' relevances, each on a scale with fixed ends (Bruch, Gai and
-- Ingber, TOIS 2023). A passage that one list lacks counts there as the seventieth by words, or as the
-- twentieth by meaning: longer lists find nothing better, and are what a filter makes dear.
--
-- How much words weigh against meaning is the query's own affair. Keyword search is right where the
-- query has rare words, which is part of a relevance, and where the best match stands out from the
-- seventieth: the contrast. Words that are everywhere, and matches that are all alike, leave it to
-- meaning. tests/bench/bench_search.py compares this with ranks alone and with fixed weights.
create or replace function openbook.fused(
    keyword openbook.candidate[], dense openbook.candidate[])
returns table (passage_id bigint, score double precision, keyword_rank integer, dense_rank integer)
language sql immutable
set search_path = openbook, pg_temp
as $$
    select passage_id,
           (2 * list.contrast * greatest(k.relevance, list.keyword_floor)
            + greatest(d.relevance, list.dense_floor)) / 3
           + 1e-9 / least(k.rank, d.rank), -- ends ties, of which there are many below the floors
           k.rank::integer, d.rank::integer
    from unnest(keyword) with ordinality k (passage_id, relevance, rank)
    full join unnest(dense) with ordinality d (passage_id, relevance, rank) using (passage_id)
    cross join (
        select coalesce(keyword[70].relevance, 0) as keyword_floor,
               coalesce(dense[20].relevance, 0) as dense_floor,
               1 - coalesce(keyword[70].relevance / nullif(keyword[1].relevance, 0), 0) as contrast
    ) list;
$$;
comment on function openbook.fused is 'Two lists of passages as one; scores are from 0 to 1, in one list alone as in its order.';
