-- Who may do what: the only file with `grant`. The roles are groups; a login is made a member of the
-- one that it needs. A cluster has each role once, for all of its databases; rights are each
-- database's own, and are what this file says, no more.

do $$
declare
    groups   constant text[] := array[
        'openbook_owner', 'openbook_ingest', 'openbook_search', 'openbook_analyst', 'openbook_trainer'];
    grantee  text;
    command  text;
begin
    foreach grantee in array groups loop
        if not exists (select from pg_roles where rolname = grantee) then
            begin
                execute format('create role %I nologin', grantee);
            exception
                when duplicate_object or unique_violation then
                    null; -- another database of the cluster made it at this moment
                when insufficient_privilege then
                    raise notice 'there is no role %, and % may not create it', grantee, current_user;
                    continue;
            end;
        end if;
        execute format('revoke all on all tables in schema openbook, analytics from %I', grantee);
        execute format('revoke all on schema openbook, analytics from %I', grantee);
    end loop;

    for grantee, command in
        select rolname, rights.command
        from unnest(groups) as rolname
        join pg_roles using (rolname)
        join (values
            (1, 'openbook_owner', 'grant all on schema openbook, analytics to %I'),
            (2, 'openbook_owner', 'grant all on all tables in schema openbook, analytics to %I'),
            (3, 'openbook_ingest', 'grant usage on schema openbook, analytics to %I'),
            (4, 'openbook_ingest', 'grant select, insert, update, delete on all tables in schema openbook to %I'),
            (5, 'openbook_ingest', 'revoke insert, update, delete on openbook.schema_migrations, openbook.schema_definitions from %I'),
            (6, 'openbook_search', 'grant usage on schema openbook to %I'),
            (7, 'openbook_search', 'grant select on all tables in schema openbook to %I'),
            (8, 'openbook_search', 'grant insert on openbook.query_embeddings to %I'),
            (9, 'openbook_analyst', 'grant usage on schema openbook, analytics to %I'),
            (10, 'openbook_analyst', 'grant select on all tables in schema openbook, analytics to %I'),
            (11, 'openbook_trainer', 'grant usage on schema openbook, analytics to %I'),
            (12, 'openbook_trainer', 'grant select on all tables in schema openbook, analytics to %I')
        ) as rights (ordinal, rolname, command) using (rolname)
        order by rights.ordinal
    loop
        execute format(command, grantee);
    end loop;
end
$$;
