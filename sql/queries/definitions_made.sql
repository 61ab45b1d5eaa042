-- What this transaction defined: `create or replace` writes a row anew, changed or not.
with made as (
    select 'pg_proc'::regclass as class, p.oid, format('%I.%I', n.nspname, p.proname) as name
    from pg_proc p
    join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('openbook', 'analytics') and p.xmin = pg_current_xact_id()::xid
    union all
    select 'pg_class'::regclass, c.oid, format('%I.%I', n.nspname, c.relname)
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    join pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN'
    where n.nspname in ('openbook', 'analytics') and c.relkind = 'v'
      and pg_current_xact_id()::xid in (c.xmin, r.xmin)
    union all
    select 'pg_trigger'::regclass, t.oid, t.tgname
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'openbook' and not t.tgisinternal and t.xmin = pg_current_xact_id()::xid
)
select o.type, o.identity, m.name
from made m
cross join pg_identify_object(m.class, m.oid, 0) o;
