-- Wait for the runs that buy these contexts; one order for all, so that none waits in a ring.
select pg_advisory_xact_lock(hashtextextended(encode(sha256, 'hex'), document_id))
from (
    select document_id, sha256
    from unnest(%(documents)s::bigint[], %(sha256s)s::bytea[]) as wanted (document_id, sha256)
    order by document_id, sha256) wanted;
