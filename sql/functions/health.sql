-- How the indexes do: whether they are whole, how large they are, and how large they need be.

create or replace function openbook.index_health()
returns table (
    name text, "table" text, method text, rows bigint, bytes bigint, needed_bytes bigint,
    valid boolean)
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select i.relname::text, t.relname::text, a.amname::text, k.rows, k.bytes,
           case a.amname
               -- A key, its tuple's head and the pointer to it; pages are filled to nine tenths.
               when 'btree' then
                   16384 + (k.rows * (12 + 8 * ceil(coalesce(w.width, 24) / 8.0)) / 0.9)::bigint
               -- A vector of two bytes a dimension, its head, and some 38 neighbours; what does not
               -- fit into a page begins the next one.
               when 'hnsw' then
                   16384 + 8192 * ceil(k.rows / greatest(
                       floor(8150.0 / (2 * d.dimensions + 340)), 0.5))::bigint
           end,
           x.indisvalid and x.indisready
    from pg_index x
    join pg_class i on i.oid = x.indexrelid and i.relkind = 'i'
    join pg_class t on t.oid = x.indrelid
    join pg_am a on a.oid = i.relam
    cross join lateral (
        select greatest(i.reltuples, 0)::bigint as rows, pg_relation_size(i.oid) as bytes) k
    left join lateral (
        select sum(coalesce(s.avg_width, 24)) as width
        from pg_attribute c
        left join pg_stats s
          on s.schemaname = 'openbook' and s.tablename = t.relname and s.attname = c.attname
        where c.attrelid = i.oid) w on true
    left join openbook.models d on t.relname = 'embeddings_' || d.id
    where t.relnamespace = 'openbook'::regnamespace
    order by k.bytes desc, i.relname
$$;
comment on function openbook.index_health is 'One row an index of the schema openbook. rows and needed_bytes are estimates as fresh as the last vacuum or analyze; needed_bytes is what it would take when built anew, null where that cannot be told.';

create or replace function openbook.vector_index_misses(
    model bigint, samples integer default 64, out tried bigint, out missed bigint)
language plpgsql stable
set search_path = openbook, public, pg_temp
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
    part    constant text := 'embeddings_' || model;
    dims    constant integer := (select m.dimensions from models m where m.id = model);
    search  constant text := current_setting('hnsw.ef_search', true);
begin
    perform set_config('hnsw.ef_search', '200', true);
    execute format(
        'with picked as materialized (
             select e.embedding
             from %1$I e
             tablesample bernoulli ((
                 select least(100, 100.0 * 4 * $1 / greatest(1, (select count(*) from %1$I)))))
             where l2_norm(e.embedding) > 0
             limit $1
         )
         select count(*), count(*) filter (where (
             select n.embedding <=> picked.embedding
             from %1$I n
             order by n.embedding::halfvec(%2$s) <=> picked.embedding::halfvec(%2$s)
             limit 1) > 0.001)
         from picked', part, dims)
    into tried, missed
    using samples;
    perform set_config('hnsw.ef_search', coalesce(search, '40'), true);
end
$$;
comment on function openbook.vector_index_misses is 'Of a sample of the model''s vectors, for how many the HNSW index has no vector as near as the vector itself is.';
