-- Models whose HNSW index is missing though it would pay, is invalid, or does not find what is there.
select m.id, 'embeddings_' || m.id || '_hnsw'
from models m
left join pg_index x on x.indexrelid = to_regclass('openbook.embeddings_' || m.id || '_hnsw')
where to_regclass('openbook.embeddings_' || m.id) is not null
  and case
          when x.indexrelid is null then
              m.serving and (select count(*) from embeddings e where e.model_id = m.id) >= 20000
          when not (x.indisvalid and x.indisready) then true
          else (select 10 * missed > tried from openbook.vector_index_misses(m.id))
      end
order by m.id;
