create temporary table chosen on commit drop as
with judged as (
    select f.conversation_id,
           count(*) filter (where f.kind in ('thumb', 'implicit') and f.value > 0) as ups,
           count(*) filter (
               where f.kind in ('thumb', 'implicit') and f.value < 0
                 and not exists (
                     select from openbook.feedback r
                     where r.conversation_id = f.conversation_id and r.kind = 'correction'
                       and r.ordinal is not distinct from coalesce(f.ordinal, r.ordinal))) as downs,
           avg(f.value) filter (where f.kind = 'score') as score,
           string_agg(f.ordinal || ' ' || f.alternative::text, chr(31) order by f.id)
               filter (where f.kind = 'correction' and f.ordinal is not null) as corrections
    from openbook.feedback f
    group by f.conversation_id
)
select c.id as conversation_id, c.tags, c.user_pseudonym, not ({within}) as general,
       coalesce(c.user_pseudonym, c.external_id, encode(c.identity_hash, 'hex'), c.id::text) as split_group,
       coalesce(j.ups, 0) as ups, coalesce(j.downs, 0) as downs, j.score,
       j.corrections is not null as corrected,
       sha256(convert_to(
           extract(epoch from c.changed_at) || coalesce(chr(31) || j.corrections, ''), 'UTF8')) as state
from openbook.conversations c
left join judged j on j.conversation_id = c.id
where ({within}) or ({general})
