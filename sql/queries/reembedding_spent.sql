select embedded, tokens, usd::double precision from reembeddings where id = %(reembedding)s;
