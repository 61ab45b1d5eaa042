update openbook.training_runs
set usd = %(usd)s, metrics = metrics || %(metrics)s
where id = %(run)s and job_id is null
