create or replace view analytics.ingest_failures with (security_invoker = true) as
select s.name as source, d.path,
       coalesce(d.reason, 'waits to be read: it changed while the last run read it, or that run '
                          'has not come to its end') as reason,
       case d.status when 'pending' then 'Run ingest again.' else d.remedy end as remedy,
       d.attempts,
       case d.status when 'pending' then now() else d.next_try_at end as next_try_at,
       d.version_id is not null as still_searchable, d.checked_at, d.status
from openbook.documents d
join openbook.sources s on s.id = d.source_id
where d.status in ('rejected', 'pending');

comment on view analytics.ingest_failures is 'One row a file whose present bytes are not what readers see: rejected, or waiting to be read.';
comment on column analytics.ingest_failures.source is 'The watched folder''s name.';
comment on column analytics.ingest_failures.path is 'Relative to the source''s folder.';
comment on column analytics.ingest_failures.reason is 'What is wrong with it.';
comment on column analytics.ingest_failures.remedy is 'What its owner can do.';
comment on column analytics.ingest_failures.attempts is 'How often these bytes were tried.';
comment on column analytics.ingest_failures.next_try_at is 'When it is tried again unchanged, at the earliest; null: when it changes.';
comment on column analytics.ingest_failures.still_searchable is 'Whether readers see its last good version.';
comment on column analytics.ingest_failures.checked_at is 'When a scan last found the file changed in any way.';
comment on column analytics.ingest_failures.status is 'rejected, or pending: the next run reads it.';
