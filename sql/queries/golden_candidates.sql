-- First questions of conversations whose first answer was corrected, or liked and never disliked;
-- questions that stand in the set already are left out. A good answer's citations name documents.
with answered as (
    select c.id as conversation_id, a.ordinal, a.content as answer, asked.content as question
    from conversations c
    cross join lateral (
        select m.ordinal, m.content
        from messages m
        where m.conversation_id = c.id and m.role = 'assistant' and m.content <> ''
          and m.tool_calls is null
        order by m.ordinal
        limit 1) a
    cross join lateral (
        select min(m.content) as content
        from messages m
        where m.conversation_id = c.id and m.role = 'user' and m.ordinal < a.ordinal
        having count(*) = 1) asked
    where exists (select from feedback f where f.conversation_id = c.id) and asked.content <> ''
), judged as (
    select w.*,
           (select f.alternative->>'content'
            from feedback f
            where f.conversation_id = w.conversation_id and f.kind = 'correction'
              and coalesce(f.ordinal, w.ordinal) = w.ordinal
              and f.alternative->>'content' <> ''
            order by f.given_at desc, f.id desc
            limit 1) as correction,
           (select bool_or(f.value > 0) and bool_and(f.value > 0)
            from feedback f
            where f.conversation_id = w.conversation_id and f.kind = 'thumb'
              and coalesce(f.ordinal, w.ordinal) = w.ordinal) as liked
    from answered w
), chosen as (
    select distinct on (j.question) j.*
    from judged j
    where (j.correction is not null or j.liked)
      and not exists (
          select from golden_questions q
          join golden_sets g on g.id = q.golden_set_id
          where g.name = %(set)s and (q.question = btrim(j.question)
                                      or q.conversation_id = j.conversation_id))
    order by j.question, j.correction is null, j.conversation_id desc
)
select c.conversation_id, c.question, coalesce(c.correction, c.answer),
       c.correction is not null as corrected,
       array(select distinct d.path
             from answers s
             join chunks k on k.id = any (s.cited_ids)
             join versions v on v.content_id = k.content_id
             join documents d on d.version_id = v.id
             join sources o on o.id = d.source_id
             join collections l on l.id = o.collection_id and l.name = s.collection
             where s.conversation_id = c.conversation_id and s.ordinal = c.ordinal
               and c.correction is null
             order by 1) as paths
from chosen c
order by c.conversation_id desc
limit %(limit)s;
