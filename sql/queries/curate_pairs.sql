with thumbs as (
    select t.conversation_id, t.ordinal, sign(sum(t.value)) as thumb
    from (
        select f.conversation_id, f.value,
               coalesce(f.ordinal, (
                   select max(m.ordinal) from openbook.messages m
                   where m.conversation_id = f.conversation_id and m.role = 'assistant')) as ordinal
        from openbook.feedback f
        where f.kind = 'thumb') t
    group by 1, 2
), rated as (
    select t.conversation_id, t.ordinal, t.thumb, m.content,
           (select sha256(convert_to(string_agg(
                concat_ws(chr(31), p.role, p.content, p.tool_calls, p.tool_call_id), chr(30)
                order by p.ordinal), 'UTF8'))
            from openbook.messages p
            where p.conversation_id = t.conversation_id and p.ordinal < t.ordinal) as prompt
    from thumbs t
    join chosen c on c.conversation_id = t.conversation_id and not c.general
    join openbook.messages m on m.conversation_id = t.conversation_id and m.ordinal = t.ordinal
    where m.role = 'assistant' and m.content is not null and t.thumb <> 0
), pairs as (
    select f.conversation_id, f.ordinal, f.alternative as preferred,
           jsonb_build_object('content', m.content) as rejected, null::bigint as rejected_id
    from openbook.feedback f
    join openbook.messages m on m.conversation_id = f.conversation_id and m.ordinal = f.ordinal
    where f.kind = 'correction' and m.role = 'assistant'
    union all
    select f.conversation_id, f.ordinal, jsonb_build_object('content', m.content), f.alternative, null
    from openbook.feedback f
    join openbook.messages m on m.conversation_id = f.conversation_id and m.ordinal = f.ordinal
    where f.kind = 'regeneration' and m.role = 'assistant'
    union all
    (select distinct on (down.conversation_id, down.ordinal)
            up.conversation_id, up.ordinal, jsonb_build_object('content', up.content),
            jsonb_build_object('content', down.content),
            nullif(down.conversation_id, up.conversation_id)
     from rated down
     join rated up on up.prompt = down.prompt and up.content <> down.content
     where down.thumb < 0 and up.thumb > 0
     order by down.conversation_id, down.ordinal, sha256(convert_to(up.content, 'UTF8')), up.conversation_id)
)
select p.conversation_id, p.ordinal, p.preferred, p.rejected, p.rejected_id
from pairs p
join chosen c on c.conversation_id = p.conversation_id and not c.general
order by 1, 2
