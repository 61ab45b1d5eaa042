insert into openbook.load_files (path, format, sha256, size_bytes, mtime_ns)
values (%(path)s, %(format)s, null, %(size)s, %(mtime)s)
on conflict (path) do update
set format = excluded.format, sha256 = null, size_bytes = excluded.size_bytes,
    mtime_ns = excluded.mtime_ns, status = 'loading', read = 0, added = 0, grown = 0, unchanged = 0,
    messages = 0, feedback = 0, rejected = 0, reason = null, remedy = null,
    started_at = clock_timestamp(), finished_at = null
returning id;
