-- Whom a session stands for, and what that opens to it.
--
-- Everything here hangs on session_user, the login, which a session cannot change. A setting of the
-- session names principals only where the login is trusted to name them: a member of
-- openbook_search, which serves the requests of many. What it names holds for the transaction in
-- which it named it and is void in every other, whatever the session's settings say.

create or replace function openbook.session_is(role text) returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
return coalesce(pg_has_role(session_user, to_regrole(role)::oid, 'member'), false);
comment on function openbook.session_is is 'Whether the login is a member of that role; a superuser is of every one.';

create or replace function openbook.keeps_everything() returns boolean
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
return openbook.session_is('openbook_owner') or openbook.session_is('openbook_ingest') or (
    select pg_has_role(session_user, n.nspowner, 'member')
    from pg_namespace n where n.nspname = 'openbook');
comment on function openbook.keeps_everything is 'Whether the login works on all documents, whoever their readers are: superusers, members of openbook_owner and openbook_ingest, and who owns the schema.';

create or replace function openbook.transaction_stamp() returns text
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
return extract(epoch from transaction_timestamp())::text || '=';
comment on function openbook.transaction_stamp is 'What tells this transaction from every other of the session.';

create or replace function openbook.act_for(principals text[]) returns void
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
    if not openbook.session_is('openbook_search') then
        raise exception 'the login % may not name principals', quote_ident(session_user)
            using errcode = 'insufficient_privilege',
                  hint = 'Only members of openbook_search name those for whom they ask.';
    elsif principals is null or array_position(principals, null) is not null then
        raise exception 'there is a null among the principals'
            using errcode = 'invalid_parameter_value',
                  hint = 'Name users and groups; an empty array stands for the public alone.';
    end if;
    perform set_config(
        'openbook.acting_for', openbook.transaction_stamp() || principals::text, true);
    -- A login that reads every row, such as a superuser, is kept to what it asked for in tables too.
    perform set_config('role', 'openbook_search', true);
end
$$;
comment on function openbook.act_for is 'Stand for these users and groups, and the public, with the rights of openbook_search, until the transaction ends.';

create or replace function openbook.my_principals() returns text[]
language plpgsql stable parallel safe security definer
set search_path = openbook, pg_temp
as $$
declare
    named  text := current_setting('openbook.acting_for', true);
    stamp  text := openbook.transaction_stamp();
begin
    if starts_with(named, stamp) and openbook.session_is('openbook_search') then
        return array['public'] || substr(named, length(stamp) + 1)::text[];
    elsif openbook.keeps_everything() then
        return null;
    elsif openbook.session_is('openbook_search') then
        return array['public'];
    end if;
    return array['public'] || array(select p.principal from principals p where p.login = session_user);
end
$$;
comment on function openbook.my_principals is 'For whom the session stands at this moment; null: it sees everything.';

create or replace function openbook.my_collections() returns setof bigint
language sql stable parallel safe security definer
set search_path = openbook, pg_temp
as $$
    select c.id
    from collections c
    where openbook.keeps_everything()
       or c.id in (select m.collection_id from confinements m where m.login = session_user)
       or not exists (select from confinements m where m.login = session_user)
$$;
comment on function openbook.my_collections is 'The collections that the login may use.';

create or replace function openbook.set_principals(
    login text, principals text[], collections text[] default '{}')
returns void
language plpgsql volatile
set search_path = openbook, pg_temp
as $$
declare
    unknown text;
begin
    if to_regrole(quote_ident(login)) is null then
        raise exception 'there is no login %', quote_literal(login)
            using errcode = 'undefined_object',
                  hint = 'Create it first: create role NAME login password …';
    end if;
    select n.name into unknown
    from unnest(collections) n (name)
    where not exists (select from openbook.collections c where c.name = n.name)
    limit 1;
    if found then
        raise exception 'there is no collection %', quote_nullable(unknown)
            using errcode = 'undefined_object', hint = 'See them with: openbook status.';
    end if;
    delete from principals p where p.login = set_principals.login;
    delete from confinements m where m.login = set_principals.login;
    insert into principals (login, principal)
    select distinct set_principals.login, n.name from unnest(principals) n (name);
    insert into confinements (login, collection_id)
    select distinct set_principals.login, c.id
    from openbook.collections c where c.name = any (collections);
end
$$;
comment on function openbook.set_principals is 'Let a login stand for exactly these users and groups, confined to exactly these collections; no collection: to none of them in particular.';
