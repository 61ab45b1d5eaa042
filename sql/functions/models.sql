-- Embedding models and the partitions that hold their vectors.

create or replace function openbook.add_model(name text, dimensions integer, token_limit integer)
returns bigint
language plpgsql
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
        execute format(
            'create table openbook.%I partition of openbook.embeddings for values in (%s)',
            'embeddings_' || model.id, model.id);
        execute format(
            'alter table openbook.%I add check (vector_dims(embedding) = %s)',
            'embeddings_' || model.id, model.dimensions);
    elsif model.dimensions <> add_model.dimensions then
        raise exception 'model % has % dimensions, not %', name, model.dimensions, add_model.dimensions
            using hint = 'Give a model with other dimensions another name.';
    end if;
    return model.id;
end
$$;
comment on function openbook.add_model is 'The id of the embedding model of that name; a new one gets its partition, and serves when none does yet.';

create or replace function openbook.index_embeddings(model bigint, least_rows bigint default 20000)
returns boolean
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    part       text := 'embeddings_' || model;
    dims       integer := (select m.dimensions from models m where m.id = model);
begin
    if to_regclass('openbook.' || part || '_hnsw') is not null
       or (select count(*) from embeddings e where e.model_id = model) < least_rows then
        return false;
    end if;
    execute format(
        'create index %I on openbook.%I using hnsw ((embedding::halfvec(%s)) halfvec_cosine_ops)',
        part || '_hnsw', part, dims);
    execute format('analyze openbook.%I', part);
    return true;
end
$$;
comment on function openbook.index_embeddings is 'Build the model''s HNSW index once it has enough rows for one to pay; below that an exact scan is faster. True if it was built now.';
