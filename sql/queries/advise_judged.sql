with about as (
    select a.conversation_id, a.ordinal
    from openbook.answers_about(%(collection)s, %(task)s) a
    where a.counts
), judged as (
    select distinct on (f.conversation_id, m.ordinal)
           f.id, f.kind, f.comment, f.alternative, m.conversation_id, m.ordinal, m.content,
           m.tool_calls, m.chunk_ids
    from openbook.feedback_verdicts() v
    join openbook.feedback f on f.id = v.id
    join lateral (
        select o.*
        from openbook.messages o
        where o.conversation_id = f.conversation_id and o.role = 'assistant'
          and (o.ordinal = f.ordinal or f.ordinal is null)
        order by o.ordinal desc
        limit 1) m on true
    join about a on a.conversation_id = m.conversation_id and a.ordinal = m.ordinal
    where not v.good
    order by f.conversation_id, m.ordinal, f.kind not in ('correction', 'regeneration'), f.id
)
select j.kind, j.conversation_id, j.ordinal, j.content, j.tool_calls, j.alternative, j.comment,
       t.kind as told,
       (select u.content
        from openbook.messages u
        where u.conversation_id = j.conversation_id and u.ordinal < j.ordinal and u.role = 'user'
        order by u.ordinal desc
        limit 1) as question,
       (select string_agg(p.body, ' ' order by k.id)
        from openbook.chunks k
        join openbook.passages p on p.id = k.passage_id
        where k.id = any (j.chunk_ids)) as shown,
       coalesce((select string_agg(p.body, ' ' order by k.id)
        from openbook.chunks k
        join openbook.passages p on p.id = k.passage_id
        where k.id = any (j.chunk_ids) and p.uses = 0), '') as outdated
from judged j
left join openbook.failure_kinds t using (conversation_id, ordinal)
order by j.id desc
limit %(most)s
