-- Blocks of the keyword index that do not hold what their passages say: which slots are live, their
-- lengths, and each lexeme's weight in each of them. Struck out slots keep their weights.
with placed as (
    select s.block_id, count(*) as slots, sum(p.length) as length,
           bool_and(case when s.slot <= length(b.live) then get_bit(b.live, s.slot - 1) = 1
                    end) is true as live
    from bm25_slots s
    left join bm25_blocks b on b.id = s.block_id
    left join passages p on p.id = s.passage_id
    group by s.block_id
), said as (
    select e.block_id, e.lexeme, max(e.weight) as peak,
           ('{' || string_agg(e.slot || ':' || e.weight, ',') || '}/' || e.slots)::sparsevec::vector
               as weights
    from (
        select b.id as block_id, b.slots, s.slot, u.lexeme,
               openbook.bm25_weight(
                   cardinality(u.positions), p.length, b.average_length, c.k1, c.b)::real as weight
        from bm25_blocks b
        join collections c on c.id = b.collection_id
        join bm25_slots s on s.block_id = b.id and s.slot <= b.slots
        join passages p on p.id = s.passage_id
        cross join unnest(p.lexemes) as u) e
    group by e.block_id, e.slots, e.lexeme
), stored as (
    select p.block_id, p.lexeme, p.peak, p.weights::vector as weights,
           bit_count(binary_quantize(p.weights::vector)) <> p.entries as miscounted,
           binary_quantize(p.weights::vector) & b.live as places
    from bm25_postings p
    join bm25_blocks b on b.id = p.block_id
    where vector_dims(p.weights::vector) = length(b.live)
), untrue as (
    select coalesce(b.id, placed.block_id) as id
    from bm25_blocks b
    full join placed on placed.block_id = b.id
    where b.id is null
       or length(b.live) <> b.slots
       or b.live_slots <> bit_count(b.live)
       or b.live_slots <> coalesce(placed.slots, 0)
       or b.live_length <> coalesce(placed.length, 0)
       or not placed.live
    union
    select coalesce(stored.block_id, said.block_id)
    from stored
    full join said on said.block_id = stored.block_id and said.lexeme = stored.lexeme collate "C"
    where stored.miscounted
       or said.lexeme is null and bit_count(stored.places) > 0
       or said.lexeme is not null and (
              stored.places = binary_quantize(said.weights)
              and stored.peak >= said.peak
              and abs((stored.weights <#> said.weights) / (said.weights <#> said.weights) - 1) < 1e-4
          ) is not true
)
select id, 'block ' || id from untrue order by id;
