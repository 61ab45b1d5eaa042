create or replace view analytics.documents with (security_invoker = true) as
select d.id as document_id, s.name as source, c.name as collection, d.path, d.status,
       ct.title, ct.format, ct.metadata, d.size_bytes,
       (select count(*) from openbook.chunks k where k.content_id = ct.id) as chunks,
       v.valid_from as current_since, d.first_seen_at, d.checked_at
from openbook.documents d
join openbook.sources s on s.id = d.source_id
join openbook.collections c on c.id = s.collection_id
left join openbook.versions v on v.id = d.version_id
left join openbook.contents ct on ct.id = v.content_id;

comment on view analytics.documents is 'One row a path ever seen in a source, with the version that readers see.';
comment on column analytics.documents.document_id is 'Stays the same when the file is renamed.';
comment on column analytics.documents.source is 'The watched folder''s name.';
comment on column analytics.documents.collection is 'The documents that are searched together.';
comment on column analytics.documents.path is 'Relative to the source''s folder.';
comment on column analytics.documents.status is 'current, pending (to be read), rejected (see analytics.ingest_failures) or deleted.';
comment on column analytics.documents.title is 'The title that the file itself gives; null where it gives none.';
comment on column analytics.documents.format is 'md, pdf, docx …, judged by suffix and content.';
comment on column analytics.documents.metadata is 'What the file says of itself: author, date, sender …';
comment on column analytics.documents.size_bytes is 'Of the file as last seen.';
comment on column analytics.documents.chunks is 'Chunks of the current version.';
comment on column analytics.documents.current_since is 'When the current version was published; null where there is none.';
comment on column analytics.documents.first_seen_at is 'When a scan first found the path.';
comment on column analytics.documents.checked_at is 'When a scan last found the file changed in any way.';
