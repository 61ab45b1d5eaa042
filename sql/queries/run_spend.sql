update runs
set tokens = tokens + %(tokens)s, usd = usd + %(usd)s
where id = %(run)s;
