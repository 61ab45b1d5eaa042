create or replace view analytics.ingest_failures with (security_invoker = true) as
select s.name as source, d.path, d.reason, d.remedy, d.attempts, d.next_try_at,
       d.version_id is not null as still_searchable, d.checked_at
from openbook.documents d
join openbook.sources s on s.id = d.source_id
where d.status = 'rejected';

comment on view analytics.ingest_failures is 'One row a file that could not be used as it is now.';
comment on column analytics.ingest_failures.source is 'The watched folder''s name.';
comment on column analytics.ingest_failures.path is 'Relative to the source''s folder.';
comment on column analytics.ingest_failures.reason is 'What is wrong with it.';
comment on column analytics.ingest_failures.remedy is 'What its owner can do.';
comment on column analytics.ingest_failures.attempts is 'How often these bytes were tried.';
comment on column analytics.ingest_failures.next_try_at is 'When it is tried again unchanged; null: when it changes.';
comment on column analytics.ingest_failures.still_searchable is 'Whether readers see its last good version.';
comment on column analytics.ingest_failures.checked_at is 'When a scan last found the file changed in any way.';
