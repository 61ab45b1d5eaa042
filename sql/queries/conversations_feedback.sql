-- Feedback on messages that still say what was judged, once.
insert into openbook.feedback (
    conversation_id, ordinal, kind, value, comment, alternative, source, given_at, content_hash)
select f.conversation_id, f.ordinal, f.kind, f.value, f.comment, f.alternative, f.source,
       coalesce(f.given_at, now()), f.content_hash
from jsonb_to_recordset(%(feedback)s) as f (
    conversation_id bigint, ordinal integer, kind text, value double precision, comment text,
    alternative jsonb, source text, given_at timestamptz, content_hash bytea, said text)
where f.ordinal is null
   or exists (
       select from openbook.messages m
       where m.conversation_id = f.conversation_id
         and m.ordinal = f.ordinal
         and m.content is not distinct from f.said)
on conflict (conversation_id, content_hash) do nothing;
