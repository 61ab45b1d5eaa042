update openbook.training_runs
set state = %(state)s, metrics = metrics || %(metrics)s, reason = %(reason)s,
    changed_at = case when state = %(state)s then changed_at else now() end,
    finished_at = case when %(state)s in ('succeeded', 'failed', 'cancelled')
        then coalesce(finished_at, now()) end
where id = %(run)s
