-- The language whose stop words are the most of the words.
select c.cfgname
from pg_ts_config c
join pg_namespace n on n.oid = c.cfgnamespace and n.nspname = 'pg_catalog'
cross join unnest(%(words)s::text[]) w
group by c.cfgname
order by count(*) filter (where to_tsvector(c.cfgname::regconfig, w) = '') desc,
         c.cfgname = 'english' desc
limit 1;
