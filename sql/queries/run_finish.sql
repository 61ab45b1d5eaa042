-- What is neither new, changed, renamed, rejected nor waiting has not changed.
update runs r
set finished_at = clock_timestamp(),
    outcome = case when %(error)s::text is null then 'done' else 'failed' end,
    error = %(error)s,
    rejected = files.rejected,
    unchanged = greatest(0, r.seen - r.new - r.changed - r.renamed - files.rejected - files.pending)
from (
    select count(*) filter (where d.status = 'rejected') as rejected,
           count(*) filter (where d.status = 'pending') as pending
    from documents d
    where d.source_id = (select source_id from runs where id = %(run)s)) files
where r.id = %(run)s and r.outcome = 'running';
