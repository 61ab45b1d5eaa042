-- What somebody made in this database that could use a definition and is none of Openbook's.
with made as (
    select 'pg_proc'::regclass as class, p.oid from pg_proc p
    union all
    select 'pg_class'::regclass, c.oid from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'i', 'I')
    union all
    select 'pg_trigger'::regclass, t.oid from pg_trigger t where not t.tgisinternal
    union all
    select 'pg_policy'::regclass, p.oid from pg_policy p
    union all
    select 'pg_attrdef'::regclass, a.oid from pg_attrdef a
    union all
    select 'pg_constraint'::regclass, c.oid from pg_constraint c
)
select concat_ws(' ', o.type, o.identity)
from made m
cross join pg_identify_object(m.class, m.oid, 0) o
where m.oid >= 16384 -- below are Postgres's own
  and (o.schema !~ '^pg_t') is not false -- toast and temporary tables
  and not exists (
      select from openbook.definitions d where d.type = o.type and d.identity = o.identity);
