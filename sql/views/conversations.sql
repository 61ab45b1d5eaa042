create or replace view analytics.conversations with (security_invoker = true) as
select c.id as conversation_id, c.external_id, c.format, f.path as file, c.user_pseudonym,
       c.tenant_pseudonym, c.model, c.started_at, c.ended_at, c.tags, c.metadata,
       coalesce(m.messages, 0) as messages, coalesce(m.user_messages, 0) as user_messages,
       coalesce(m.tool_calls, 0) as tool_calls, m.output_tokens, m.mean_latency_ms,
       coalesce(m.with_chunks, 0) as answers_with_chunks,
       (select count(*) from openbook.feedback b
        where b.conversation_id = c.id and b.kind = 'thumb' and b.value > 0) as thumbs_up,
       (select count(*) from openbook.feedback b
        where b.conversation_id = c.id and b.kind = 'thumb' and b.value < 0) as thumbs_down,
       c.logged_at, c.changed_at,
       (select avg(b.value) from openbook.feedback b
        where b.conversation_id = c.id and b.kind = 'score') as mean_score,
       (select count(*) from openbook.feedback b
        where b.conversation_id = c.id and b.kind = 'correction') as corrections
from openbook.conversations c
left join openbook.load_files f on f.id = c.load_file_id
left join lateral (
    select count(*) as messages,
           count(*) filter (where s.role = 'user') as user_messages,
           sum(jsonb_array_length(s.tool_calls)) as tool_calls,
           sum(s.output_tokens) as output_tokens,
           avg(s.latency_ms) as mean_latency_ms,
           count(*) filter (where cardinality(s.chunk_ids) > 0) as with_chunks
    from openbook.messages s
    where s.conversation_id = c.id
) m on true;

comment on view analytics.conversations is 'One row a logged conversation.';
comment on column analytics.conversations.conversation_id is 'Stays the same when the conversation grows.';
comment on column analytics.conversations.external_id is 'The id that its source gives it; null where it gives none.';
comment on column analytics.conversations.format is 'How it came: the format of its file, log (the Python logger) or sql (by hand).';
comment on column analytics.conversations.file is 'The file that said the most of it; null where it came by another way.';
comment on column analytics.conversations.user_pseudonym is 'Keyed hash of the user''s id.';
comment on column analytics.conversations.tenant_pseudonym is 'Keyed hash of the tenant''s id.';
comment on column analytics.conversations.model is 'The model that answered last.';
comment on column analytics.conversations.started_at is 'When its first message was said; null where its source does not say.';
comment on column analytics.conversations.ended_at is 'When its last message was said; null where its source does not say.';
comment on column analytics.conversations.tags is 'As its source gives them.';
comment on column analytics.conversations.metadata is 'What else its source says of it.';
comment on column analytics.conversations.messages is 'Messages of all roles.';
comment on column analytics.conversations.user_messages is 'Messages of the user.';
comment on column analytics.conversations.tool_calls is 'Tools that the model called.';
comment on column analytics.conversations.output_tokens is 'Of all answers, as the provider counted; null where it did not.';
comment on column analytics.conversations.mean_latency_ms is 'Mean of its answers; null where nobody measured.';
comment on column analytics.conversations.answers_with_chunks is 'Answers that chunks were retrieved for.';
comment on column analytics.conversations.thumbs_up is 'On the conversation or its messages.';
comment on column analytics.conversations.thumbs_down is 'On the conversation or its messages.';
comment on column analytics.conversations.logged_at is 'When its first state was stored.';
comment on column analytics.conversations.changed_at is 'When its messages changed last.';
comment on column analytics.conversations.mean_score is 'Mean of the scores given to it or to its messages; null where there are none.';
comment on column analytics.conversations.corrections is 'Answers that somebody corrected, each correction counted.';
