-- Passages that keyword search counts although no reader sees them, or the reverse: in use means a
-- live slot, or to be sealed, and not both.
select coalesce(p.id, w.passage_id), coalesce(left(p.body, 80), 'a passage that is gone')
from passages p
left join bm25_slots s on s.passage_id = p.id
left join bm25_blocks b on b.id = s.block_id
full join bm25_pending w on w.passage_id = p.id
where p.id is null
   or w.passage_id is not null and w.collection_id <> p.collection_id
   or ((p.uses > 0) <> (b.id is not null)) <> (w.passage_id is not null)
order by 1;
