select count(*) as blocks, coalesce(sum(live_slots), 0)::bigint as passages,
       coalesce(sum(slots - live_slots), 0)::bigint as struck_out,
       (select count(*) from bm25_pending) as pending
from bm25_blocks;
