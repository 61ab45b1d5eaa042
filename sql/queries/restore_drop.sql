-- Drop both schemas, and fail if that dropped anything of others': `cascade` asks nobody.
-- The view: what stands outside the schemas, or names their tables, and could be dropped with them.
create temporary view others as
with ours as (
    select oid from pg_namespace where nspname in ('openbook', 'analytics')
), made as (
    select 'pg_proc'::regclass as class, p.oid, 0 as part, p.pronamespace as namespace from pg_proc p
    union all
    select 'pg_class'::regclass, c.oid, 0, c.relnamespace
    from pg_class c
    where c.relkind in ('r', 'p', 'v', 'm', 'i', 'I', 'f')
    union all
    select 'pg_class'::regclass, c.oid, a.attnum, c.relnamespace
    from pg_class c
    join pg_attribute a on a.attrelid = c.oid
    where c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped
    union all
    select 'pg_constraint'::regclass, c.oid, 0, c.connamespace from pg_constraint c
    union all
    select 'pg_attrdef'::regclass, d.oid, 0, c.relnamespace
    from pg_attrdef d
    join pg_class c on c.oid = d.adrelid
    union all
    select 'pg_trigger'::regclass, t.oid, 0, c.relnamespace
    from pg_trigger t
    join pg_class c on c.oid = t.tgrelid
    where not t.tgisinternal
    union all
    select 'pg_policy'::regclass, p.oid, 0, c.relnamespace
    from pg_policy p
    join pg_class c on c.oid = p.polrelid
    union all
    select 'pg_publication_rel'::regclass, p.oid, 0, 0 from pg_publication_rel p
    union all
    select 'pg_publication_namespace'::regclass, p.oid, 0, 0 from pg_publication_namespace p
)
select concat_ws(' ', o.type, o.identity) as name
from made m
cross join pg_identify_object(m.class, m.oid, m.part) o
where m.oid >= 16384 -- below are Postgres's own
  and m.namespace not in (select oid from ours)
  and (o.schema !~ '^pg_t') is not false; -- toast and temporary tables

create temporary table others_before on commit drop as table pg_temp.others;

drop schema if exists openbook, analytics cascade;

do $$
declare
    lost text := (
        select string_agg(name, ', ' order by name)
        from (table pg_temp.others_before except table pg_temp.others) gone);
begin
    if lost is not null then
        raise exception 'dropped with the book: %', lost;
    end if;
end $$;
