-- Wait for the runs that were buying these texts; one order for all, so that none waits in a ring.
select pg_advisory_xact_lock(hashtextextended(encode(sha256, 'hex'), %(model)s))
from (select sha256 from unnest(%(sha256s)s::bytea[]) as wanted (sha256) order by sha256) wanted;
