-- What was asked before: a query's vector is known to the login that asked it, and to no other.

create or replace function openbook.known_embedding(model bigint, query text) returns halfvec
language sql stable security definer
set search_path = openbook, public, pg_temp
as $$
    select q.embedding
    from query_embeddings q
    where q.login = session_user
      and q.model_id = model
      and q.sha256 = sha256(convert_to(known_embedding.query, 'UTF8'))
$$;
comment on function openbook.known_embedding is 'The query''s vector under the model, if the login has searched for it before.';

create or replace function openbook.remember_query(model text, query text, embedding halfvec)
returns void
language sql security definer
set search_path = openbook, public, pg_temp
as $$
    insert into query_embeddings (login, model_id, sha256, query, embedding)
    select session_user, m.id, sha256(convert_to(remember_query.query, 'UTF8')),
           remember_query.query, remember_query.embedding
    from models m
    where m.serving
      and m.name = remember_query.model
      and m.dimensions = vector_dims(remember_query.embedding)
    on conflict do nothing
$$;
comment on function openbook.remember_query is 'Keep the query''s vector for the login, if the model still serves.';

create or replace function openbook.log_search(
    query text, collection text, mode text, filter jsonb, k integer, chunk_ids bigint[],
    milliseconds double precision)
returns void
language plpgsql security definer
set search_path = openbook, pg_temp
as $$
begin
    -- A crash may lose the last of them, and no search waits for the disk.
    set local synchronous_commit = off;
    insert into search_log (
        login, principals, collection, query, mode, filter, k, chunk_ids, milliseconds)
    values (session_user, openbook.my_principals(), log_search.collection, log_search.query,
            log_search.mode, log_search.filter, log_search.k, log_search.chunk_ids,
            log_search.milliseconds);
end
$$;
comment on function openbook.log_search is 'Write a search into openbook.search_log, as asked by the login for whom it stands now.';
