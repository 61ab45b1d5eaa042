update reembeddings
set embedded = embedded + %(embedded)s, tokens = tokens + %(tokens)s, usd = usd + %(usd)s
where id = %(reembedding)s;
