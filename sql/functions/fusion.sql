-- Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009), k = 60, where a rank counts
-- as much as its passage is relevant: the first of a list that hardly matches is not worth the first
-- of one that matches well. tests/bench/bench_search.py compares it with ranks alone.
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
