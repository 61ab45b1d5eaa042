create temporary table chosen on commit drop as
with corrected as (
    -- By what an example will be made of: what these replace is not said in it.
    select f.conversation_id, min(f.ordinal) as first,
           string_agg(f.ordinal || ' ' || f.alternative::text, chr(31) order by f.id) as corrections
    from openbook.feedback f
    join openbook.messages m on m.conversation_id = f.conversation_id and m.ordinal = f.ordinal
    where f.kind = 'correction' and m.role = 'assistant' and %(corrections)s
    group by f.conversation_id
), judged as (
    select f.conversation_id,
           count(*) filter (where f.kind in ('thumb', 'implicit') and f.value > 0) as ups,
           count(*) filter (
               where f.kind in ('thumb', 'implicit') and f.value < 0
                 -- An example ends with the first answer that was corrected.
                 and (k.conversation_id is null or f.ordinal < k.first)) as downs,
           avg(f.value) filter (where f.kind = 'score') as score
    from openbook.feedback f
    left join corrected k on k.conversation_id = f.conversation_id
    group by f.conversation_id
)
select c.id as conversation_id, c.tags, c.user_pseudonym, not ({within}) as general,
       coalesce(c.user_pseudonym, c.external_id, encode(c.identity_hash, 'hex'), c.id::text) as split_group,
       c.first_group, coalesce(j.ups, 0) as ups, coalesce(j.downs, 0) as downs, j.score,
       k.corrections is not null as corrected,
       exists (select from openbook.answers a where a.conversation_id = c.id) as own,
       sha256(convert_to(
           extract(epoch from c.changed_at) || coalesce(chr(31) || k.corrections, ''), 'UTF8')) as state
from openbook.conversations c
left join judged j on j.conversation_id = c.id
left join corrected k on k.conversation_id = c.id
where ({within}) or ({general})
