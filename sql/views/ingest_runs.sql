create or replace view analytics.ingest_runs with (security_invoker = true) as
select r.id as run_id, s.name as source, r.started_at, r.finished_at,
       r.finished_at - r.started_at as duration, r.outcome,
       r.seen, r.new, r.changed, r.unchanged, r.renamed, r.deleted, r.rejected,
       r.chunks, r.embedded, greatest(0, r.chunks - r.embedded) as reused,
       m.name as model, r.tokens, r.usd, r.error
from openbook.runs r
join openbook.sources s on s.id = r.source_id
left join openbook.models m on m.id = r.model_id;

comment on view analytics.ingest_runs is 'One row an ingestion run of one source.';
comment on column analytics.ingest_runs.run_id is 'Grows with time.';
comment on column analytics.ingest_runs.source is 'The watched folder''s name.';
comment on column analytics.ingest_runs.started_at is 'When the run took the source''s lock.';
comment on column analytics.ingest_runs.finished_at is 'Null while it runs.';
comment on column analytics.ingest_runs.duration is 'Wall time.';
comment on column analytics.ingest_runs.outcome is 'running, done, failed (see error) or abandoned (its process died).';
comment on column analytics.ingest_runs.seen is 'Files found by the walk.';
comment on column analytics.ingest_runs.new is 'Documents that became readable for the first time, or again.';
comment on column analytics.ingest_runs.changed is 'Documents whose readers now see another version.';
comment on column analytics.ingest_runs.unchanged is 'Files that needed nothing.';
comment on column analytics.ingest_runs.renamed is 'Files found under a new path with the same bytes.';
comment on column analytics.ingest_runs.deleted is 'Files that were gone.';
comment on column analytics.ingest_runs.rejected is 'Files that stood rejected when the run ended.';
comment on column analytics.ingest_runs.chunks is 'Chunks of the new and changed documents.';
comment on column analytics.ingest_runs.embedded is 'Texts sent to the embedder.';
comment on column analytics.ingest_runs.reused is 'Chunks whose vector was there already.';
comment on column analytics.ingest_runs.model is 'The embedding model.';
comment on column analytics.ingest_runs.tokens is 'Tokens sent to the embedder, and to and from the context model.';
comment on column analytics.ingest_runs.usd is 'What the embedder and the context model charged, in US dollars.';
comment on column analytics.ingest_runs.error is 'Why the run failed.';
