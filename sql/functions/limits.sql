-- What analysts may take of the server, whatever they `set`: a role's defaults, such as its
-- statement_timeout, are the session's to change. These limits are not: connections and temporary
-- files are the role's and the superuser's, and a watch ends what has run for too long.

create or replace function openbook.analysts() returns setof name
language sql stable
set search_path = pg_catalog, pg_temp
as $$
    select r.rolname
    from pg_roles r
    where r.rolcanlogin and not r.rolsuper
      and pg_has_role(r.oid, to_regrole('openbook_analyst')::oid, 'member')
      and not coalesce(pg_has_role(r.oid, to_regrole('openbook_owner')::oid, 'member'), false)
$$;
comment on function openbook.analysts is 'The logins that the limits hold for.';

create or replace function openbook.limit_analysts() returns setof name
language plpgsql
set search_path = openbook, pg_temp
as $$
declare
    bounds  analyst_limits;
    files   text;
    login   name;
begin
    select * into bounds from analyst_limits;
    files := bounds.temp_megabytes || 'MB';
    for login in
        select r.rolname
        from pg_roles r
        where r.rolname in (select openbook.analysts())
          and (r.rolconnlimit <> bounds.connections
               or not coalesce(r.rolconfig @> array['temp_file_limit=' || files], false))
    loop
        begin
            -- First what locks the role, so that nobody drops it before the second.
            execute format('alter role %I set temp_file_limit = %L', login, files);
            execute format('alter role %I connection limit %s', login, bounds.connections);
            return next login;
        exception
            when undefined_object then
                null;
            -- "tuple concurrently updated": somebody else alters the same role right now.
            when internal_error then
                raise warning '% is not bounded before the next look: %', login, sqlerrm;
        end;
    end loop;
end
$$;
comment on function openbook.limit_analysts is 'Bound the connections and temporary files of every analyst''s login; those for which that was new. Asks for a superuser, or for createrole and `grant set on parameter temp_file_limit`.';

create or replace function openbook.end_overdue()
returns table (login name, process integer, age interval, deed text)
language plpgsql
set search_path = openbook, pg_temp
as $$
begin
    if not (pg_has_role(current_user, 'pg_signal_backend', 'usage')
            and pg_has_role(current_user, 'pg_read_all_stats', 'usage')) then
        raise exception '% may not end the statements of others', quote_ident(current_user)
            using errcode = 'insufficient_privilege',
                  hint = 'Grant it pg_signal_backend and pg_read_all_stats.';
    end if;
    return query
    select due.login, due.pid, due.age, due.deed
    from (
        select a.usename as login, a.pid, clock_timestamp() - a.query_start as age,
               case when a.state <> 'active' then 'ended'
                    when clock_timestamp() - a.query_start > 2 * bounds.statement_age then 'ended'
                    else 'cancelled' end as deed
        from pg_stat_activity a, analyst_limits bounds
        where a.usename in (select openbook.analysts())
          and a.datname = current_database() and a.backend_type = 'client backend'
          and (a.state = 'active' and clock_timestamp() - a.query_start > bounds.statement_age
               or a.state like 'idle in transaction%'
               and clock_timestamp() - a.state_change > bounds.idle_age)
        offset 0) due
    where case due.deed when 'ended' then pg_terminate_backend(due.pid)
               else pg_cancel_backend(due.pid) end;
end
$$;
comment on function openbook.end_overdue is 'Cancel analysts'' statements that are too old, end sessions that will not be cancelled or hold a transaction open; what was done. `openbook watch` calls it again and again.';
