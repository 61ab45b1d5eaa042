-- Readers keep the last good version. What may pass later is tried again after 1, 4, 16, 64 and 256
-- minutes, then left until it changes; what waits for a program is tried in every run.
update documents d
set status = 'rejected', reason = r.reason, remedy = r.remedy, attempts = d.attempts + 1,
    next_try_at = case
        when r.retry = 'always' then now()
        when r.retry = 'later' and d.attempts < 5 then now() + interval '1 minute' * 4 ^ d.attempts
    end
from unnest(%(documents)s::bigint[], %(reasons)s::text[], %(remedies)s::text[], %(retries)s::text[])
    as r (document_id, reason, remedy, retry)
where d.id = r.document_id;
