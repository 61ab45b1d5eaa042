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

create or replace function openbook.keeps_unbounded() returns boolean
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select openbook.keeps_everything() or openbook.session_is('openbook_search')
$$;
comment on function openbook.keeps_unbounded is 'Whether what the login asks is kept however much it is: of who keeps the book, and of servers, which ask for many.';

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
      and length(remember_query.query) <= 10000
      and (openbook.keeps_unbounded() or not exists (
          select from query_embeddings q where q.login = session_user offset 9999))
    on conflict do nothing
$$;
comment on function openbook.remember_query is 'Keep the query''s vector for the login, if the model still serves: of texts up to 10,000 characters, and of an analyst''s own login up to 10,000, until they expire.';

create or replace function openbook.log_search(
    query text, collection text, mode text, filter jsonb, predicate text, as_of timestamptz,
    per_document boolean, k integer, skip integer, chunk_ids bigint[], milliseconds double precision)
returns void
language plpgsql security definer
set search_path = openbook, pg_temp
as $$
begin
    -- A crash may lose the last of them, and no search waits for the disk.
    set local synchronous_commit = off;
    if openbook.keeps_unbounded() or not exists (
        select from search_log l
        where l.login = session_user and l.asked_at > now() - interval '1 day'
        offset 9999)
    then
        insert into search_log (
            login, principals, collection, query, mode, filter, predicate, as_of, per_document, k, skip,
            chunk_ids, milliseconds)
        values (
            session_user, openbook.my_principals(), left(log_search.collection, 1000),
            left(log_search.query, 10000), left(log_search.mode, 10),
            case when length(log_search.filter::text) <= 100000 then log_search.filter
                 else to_jsonb(left(log_search.filter::text, 10000)) end,
            left(log_search.predicate, 10000), log_search.as_of, log_search.per_document, log_search.k,
            log_search.skip, log_search.chunk_ids[:1000], log_search.milliseconds);
    end if;
end
$$;
comment on function openbook.log_search is 'Write a search into openbook.search_log, as asked by the login for whom it stands now. Long texts are cut; of an analyst''s own login, 10,000 a day are written.';
