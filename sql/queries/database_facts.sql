-- What a connection must know before anything else; sets its search path on the way.
select
    current_setting('server_version_num')::integer / 10000 as server_version,
    pg_encoding_to_char(d.encoding) as encoding,
    coalesce(e.extversion, (
        select default_version from pg_available_extensions where name = 'vector')) as pgvector,
    e.extnamespace::regnamespace::text as pgvector_schema,
    has_schema_privilege(n.oid, 'usage') as usable
from (select set_config('search_path', 'openbook, public', false)) as path
cross join pg_database d
left join pg_extension e on e.extname = 'vector'
left join pg_namespace n on n.nspname = 'openbook'
where d.datname = current_database();
