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
