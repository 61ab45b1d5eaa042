-- Whether a session holds the advisory lock of this number in this database.
select exists (
    select from pg_locks l
    join pg_database d on d.oid = l.database
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1
      and d.datname = current_database()
      and (l.classid::bigint << 32 | l.objid::bigint) = %(number)s);
