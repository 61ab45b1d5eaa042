-- What was sent without an answer may still arrive, whatever was refused since.
update openbook.training_runs
set state = 'failed', reason = %(reason)s, remedy = %(remedy)s,
    changed_at = clock_timestamp(), finished_at = clock_timestamp()
where id = %(run)s and job_id is null and state <> 'submitting'
