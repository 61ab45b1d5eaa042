-- Read them again: publishing opens a version of their own.
update documents set status = 'pending', version_id = null, size_bytes = null
where id = any (%(ids)s);
