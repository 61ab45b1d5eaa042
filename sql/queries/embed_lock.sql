-- One transaction lock a text that is about to be bought; false where another run holds it.
select sha256, pg_try_advisory_xact_lock(hashtextextended(encode(sha256, 'hex'), %(model)s))
from unnest(%(sha256s)s::bytea[]) as wanted (sha256);
