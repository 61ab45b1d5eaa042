insert into openbook.dataset_exports (version_id, folder, host, installation)
values (%(version)s, %(folder)s, %(host)s, %(installation)s)
on conflict (version_id, installation, folder) do update
set host = excluded.host, exported_at = now(), stale_at = null
