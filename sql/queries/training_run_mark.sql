update openbook.training_runs
set state = %(state)s, job_id = %(job)s, changed_at = clock_timestamp(),
    reason = null, remedy = null, finished_at = null
where id = %(run)s
