select m.conversation_id, m.ordinal, asked.ordinal as asked_ordinal, asked.content as question,
       answer.content as answer, retrieved.collection, retrieved.chunks,
       history.said
from chosen c
join openbook.messages m on m.conversation_id = c.conversation_id
cross join lateral (
    select p.ordinal, p.content
    from openbook.messages p
    where p.conversation_id = m.conversation_id and p.ordinal < m.ordinal and p.role = 'user'
    order by p.ordinal desc
    limit 1) asked
left join lateral (
    select f.id, f.alternative -> 'content' as content
    from openbook.feedback f
    where f.conversation_id = m.conversation_id and f.ordinal = m.ordinal and f.kind = 'correction'
    order by f.id desc
    limit 1) corrected on %(corrections)s
cross join lateral (
    select case when corrected.id is null then m.content
                when jsonb_typeof(corrected.content) = 'string' then corrected.content #>> '{}' end as content
) answer
cross join lateral (
    select max(l.name) as collection,
           jsonb_agg(jsonb_build_array(k.id, p.body, concat_ws(' · ', d.path, p.section, 'page ' || k.first_page))
                     order by array_position(m.chunk_ids, k.id)) as chunks
    from openbook.chunks k
    join openbook.passages p on p.id = k.passage_id
    join openbook.collections l on l.id = p.collection_id
    left join lateral (
        select o.path
        from openbook.versions v
        join openbook.documents o on o.id = v.document_id
        where v.content_id = k.content_id
        order by v.id desc
        limit 1) d on true
    where k.id = any (m.chunk_ids)) retrieved
cross join lateral (
    select coalesce(jsonb_agg(jsonb_build_array(p.ordinal, p.role, p.content) order by p.ordinal), '[]') as said
    from openbook.messages p
    where p.conversation_id = m.conversation_id and p.ordinal < asked.ordinal
      and p.role in ('user', 'assistant') and p.content <> '') history
where not c.general and m.role = 'assistant' and cardinality(m.chunk_ids) > 0
  and answer.content is not null and asked.content <> '' and retrieved.chunks is not null
  -- What follows a corrected answer answered words that are no longer said.
  and not (%(corrections)s and exists (
      select from openbook.feedback f
      join openbook.messages p on p.conversation_id = f.conversation_id and p.ordinal = f.ordinal
      where f.conversation_id = m.conversation_id and f.ordinal < m.ordinal
        and f.kind = 'correction' and p.role = 'assistant'))
order by m.conversation_id, m.ordinal
