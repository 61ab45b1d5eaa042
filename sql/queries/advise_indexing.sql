-- What the collection's runs paid: a source's first load ends with its first run that succeeded.
with history as (
    select r.id, r.started_at, r.tokens, r.usd, coalesce(m.name, '') as model,
           min(r.id) filter (where r.outcome = 'done') over (partition by r.source_id) as loaded
    from openbook.runs r
    join openbook.sources s on s.id = r.source_id
    join openbook.collections c on c.id = s.collection_id
    left join openbook.models m on m.id = r.model_id
    where c.name = %(collection)s
)
select coalesce(sum(h.usd) filter (where (h.id > h.loaded) is not true), 0)::double precision
           as first_usd,
       coalesce(sum(h.usd) filter (where h.id > h.loaded), 0)::double precision as changes_usd,
       coalesce(extract(epoch from max(h.started_at) - min(h.started_at)) / 86400, 0)
           ::double precision as days,
       coalesce(array_agg(distinct h.model) filter (where h.tokens > 0 and h.usd = 0), '{}')
           as unpaid
from history h
