update runs
set new = new + %(new)s, changed = changed + %(changed)s, chunks = chunks + %(chunks)s,
    embedded = embedded + %(embedded)s, tokens = tokens + %(tokens)s, usd = usd + %(usd)s
where id = %(run)s and outcome = 'running';
