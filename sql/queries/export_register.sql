insert into openbook.dataset_exports (version_id, folder, host)
values (%(version)s, %(folder)s, %(host)s)
on conflict (version_id, host, folder) do update set exported_at = now(), stale_at = null
