-- Embedding models and the partitions that hold their vectors.

create or replace function openbook.add_model(name text, dimensions integer, token_limit integer)
returns bigint
language plpgsql
-- A partition is made, and an index built, as the owner of what they are added to: who ingests owns
-- neither.
security definer
set search_path = openbook, public, pg_temp
as $$
declare
    model models;
begin
    -- Processes that meet a new model at the same time create its partition once.
    perform pg_advisory_xact_lock(hashtext('openbook.add_model'));
    select * into model from models m where m.name = add_model.name;
    if not found then
        insert into models (name, dimensions, token_limit, serving)
        values (add_model.name, add_model.dimensions, add_model.token_limit,
                not exists (select from models m where m.serving))
        returning * into model;
    elsif model.dimensions <> add_model.dimensions then
        raise exception 'model % has % dimensions, not %', name, model.dimensions, add_model.dimensions
            using hint = 'Give a model with other dimensions another name.';
    end if;
    -- A new model has none yet, and openbook.drop_model took that of a retired one.
    if to_regclass('openbook.embeddings_' || model.id) is null then
        execute format(
            'create table openbook.%I partition of openbook.embeddings for values in (%s)',
            'embeddings_' || model.id, model.id);
        execute format(
            'alter table openbook.%I add check (vector_dims(embedding) = %s)',
            'embeddings_' || model.id, model.dimensions);
    end if;
    return model.id;
end
$$;
comment on function openbook.add_model is 'The id of the embedding model of that name; a new one gets its partition, and serves when none does yet.';

create or replace function openbook.allow_index_memory(bytes bigint) returns void
language sql
set search_path = openbook, pg_temp
as $$
    -- An index that is built outside of memory takes many times as long. effective_cache_size is
    -- what the server's owner says that it has to spare: half of that is taken at the most.
    select set_config(
               'maintenance_work_mem',
               greatest(
                   pg_size_bytes(current_setting('maintenance_work_mem')),
                   least(bytes, pg_size_bytes(current_setting('effective_cache_size')) / 2)
               ) / 1024 || 'kB',
               true),
           set_config(
               'max_parallel_maintenance_workers', current_setting('max_parallel_workers'), true);
$$;
comment on function openbook.allow_index_memory is 'Let the rest of the transaction build indexes with that much memory, as far as the server has it, and with all its parallel workers.';

create or replace function openbook.index_embeddings(model bigint, least_rows bigint default 20000)
returns boolean
language plpgsql
security definer
set search_path = openbook, public, pg_temp
as $$
declare
    part    text := 'embeddings_' || model;
    dims    integer := (select m.dimensions from models m where m.id = model);
    vectors bigint;
begin
    -- Where another run builds it, it need not be built twice.
    if to_regclass('openbook.' || part || '_hnsw') is not null
       or not pg_try_advisory_xact_lock(hashtext('openbook.index_embeddings'), model::integer) then
        return false;
    end if;
    vectors := (select count(*) from embeddings e where e.model_id = model);
    if vectors < least_rows then
        return false;
    end if;
    perform openbook.allow_index_memory(vectors * (2 * dims + 1000));
    execute format(
        'create index %I on openbook.%I using hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops)',
        part || '_hnsw', part, dims);
    execute format('analyze openbook.%I', part);
    return true;
end
$$;
comment on function openbook.index_embeddings is 'Build the model''s HNSW index once it has enough rows for one to pay; below that an exact scan is faster. True if it was built now.';

create or replace function openbook.activate_model(name text) returns void
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    model    models;
    lacking  bigint;
begin
    select * into model from models m where m.name = activate_model.name;
    if not found then
        raise exception 'there is no model %', activate_model.name
            using hint = 'See them with: openbook models.';
    end if;
    -- No text may become readable between the count and the switch.
    lock table passages in share mode;
    select count(*) into lacking
    from passages p
    where p.uses > 0
      and not exists (select from embeddings e where e.model_id = model.id and e.sha256 = p.sha256);
    if lacking > 0 then
        raise exception 'the model % lacks % texts that readers see', activate_model.name, lacking
            using hint = 'Buy them first: openbook reembed.';
    end if;
    update models m set serving = false where m.serving and m.id <> model.id;
    update models m set serving = true where m.id = model.id and not m.serving;
end
$$;
comment on function openbook.activate_model is 'Let search use the model of that name; refused while any text that readers see lacks its vector.';
