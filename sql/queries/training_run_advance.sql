-- A run that has ended stays as it is.
update openbook.training_runs
set state = %(state)s, metrics = metrics || %(metrics)s, reason = %(reason)s, remedy = %(remedy)s,
    usd = coalesce(
        (%(metrics)s ->> 'trained_tokens')::numeric * (metrics ->> 'usd_per_million_tokens')::numeric / 1e6,
        usd),
    changed_at = now(),
    finished_at = case when %(state)s in ('succeeded', 'failed', 'cancelled') then now() end
where id = %(run)s and state not in ('succeeded', 'failed', 'cancelled')
