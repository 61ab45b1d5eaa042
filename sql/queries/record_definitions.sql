insert into openbook.schema_definitions (sha256) values (%(sha256)s)
on conflict (singleton) do update set sha256 = excluded.sha256, applied_at = now();
