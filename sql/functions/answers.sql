-- Answers: what a model is shown of a whole collection, and the log of what was answered.

create or replace function openbook.read_collection(
    collection text, filter jsonb, predicate text, most_tokens bigint)
returns table (
    tokens bigint,
    source text, path text, title text, section text, page integer, text text,
    document_id bigint, version_id bigint, chunk_id bigint)
language plpgsql stable security definer
set search_path = openbook, public, pg_temp
as $$
declare
    scope  record := openbook.scope(
        read_collection.collection,
        array[read_collection.filter, openbook.predicate_filter(read_collection.predicate)],
        null, null);
begin
    -- Of a collection that is too large one row comes back, which says so.
    return query execute format(
        'with seen as (
             select distinct on (c.id) c.id, c.ordinal, c.first_page, c.passage_id, s.name as source,
                    d.path, d.id as document_id, v.id as version_id
             from %s
             order by c.id, s.name, d.path),
         counted as (
             select seen.*, p.title, p.section, p.body, sum(p.tokens) over ()::bigint as tokens,
                    row_number() over (order by seen.source, seen.path, seen.ordinal) as place
             from seen
             join passages p on p.id = seen.passage_id)
         select tokens, source, path, title, section, first_page, body, document_id, version_id, id
         from counted
         where tokens <= $4 or place = 1
         order by place',
        openbook.placements(scope.condition, null))
    using scope.binds, scope.collection_id, null::timestamptz, most_tokens;
end
$$;
comment on function openbook.read_collection is 'All that the session may read of a collection, by source, path and place, each content once. tokens: of all of it, in the embedding model''s; where they are more than most_tokens, only the first chunk comes back.';

create or replace function openbook.log_answer(
    conversation text, asker text, collection text, strategy text, chat_model bigint, model text,
    question text, answer text, response text, outcome text, reason text,
    chunk_ids bigint[], cited_ids bigint[], removed_citations integer, context_tokens integer,
    input_tokens integer, output_tokens integer, retrieval_ms integer, generation_ms integer)
returns text
language plpgsql volatile security definer
set search_path = openbook, pg_temp
as $$
declare
    known  bigint := openbook.answered_conversation(log_answer.conversation, log_answer.asker);
    place  integer;
begin
    if known is null then
        insert into conversations (external_id, format, user_pseudonym)
        values ('answer-' || gen_random_uuid(), 'answer', log_answer.asker)
        returning id into known;
    end if;
    update conversations c
    set model = coalesce(log_answer.model, c.model), ended_at = clock_timestamp()
    where c.id = known;
    select coalesce(max(m.ordinal), 0) + 1 into place from messages m where m.conversation_id = known;

    insert into messages (
        conversation_id, ordinal, role, content, weight, external_id, model, input_tokens,
        output_tokens, latency_ms, chunk_ids, metadata, said_at)
    values
        (known, place, 'user', left(log_answer.question, 100000), null, null, null, null, null, null,
         null, null, clock_timestamp()),
        (known, place + 1, 'assistant', left(log_answer.answer, 100000),
         -- Words that no model said, or did not finish, are nothing to learn from.
         case when log_answer.outcome <> 'answered' then 0 end,
         log_answer.response, log_answer.model, log_answer.input_tokens, log_answer.output_tokens,
         log_answer.retrieval_ms + log_answer.generation_ms, log_answer.chunk_ids,
         jsonb_strip_nulls(jsonb_build_object('reason', left(log_answer.reason, 1000))),
         clock_timestamp());
    insert into answers (
        conversation_id, ordinal, collection, strategy, chat_model_id, outcome, cited_ids,
        removed_citations, context_tokens, retrieval_ms, generation_ms)
    values (
        known, place + 1, left(log_answer.collection, 1000), left(log_answer.strategy, 100),
        (select m.id from chat_models m where m.id = log_answer.chat_model), log_answer.outcome,
        log_answer.cited_ids, log_answer.removed_citations, log_answer.context_tokens,
        log_answer.retrieval_ms, log_answer.generation_ms);
    return (select c.external_id from conversations c where c.id = known);
end
$$;
comment on function openbook.log_answer is 'Write a question and its answer into conversation, or into a new one where that is null; its name. asker: the pseudonym of who asks; only who began a conversation goes on with it.';

create or replace function openbook.answered_conversation(conversation text, asker text)
returns bigint
language plpgsql stable
set search_path = openbook, pg_temp
as $$
declare
    known  bigint;
begin
    select c.id into known
    from conversations c
    where c.external_id = answered_conversation.conversation
      and c.format = 'answer'
      and c.user_pseudonym is not distinct from answered_conversation.asker;
    if known is null and answered_conversation.conversation is not null then
        raise exception 'there is no conversation %', quote_literal(answered_conversation.conversation)
            using errcode = 'invalid_parameter_value',
                  hint = 'Take the name that came with its last answer, or leave it out.';
    end if;
    return known;
end
$$;
comment on function openbook.answered_conversation is 'The conversation of answers of that name, which the asker began; raises for any other. Null: none was named.';

create or replace function openbook.said_before(conversation text, asker text)
returns table (role text, content text)
language sql stable security definer
set search_path = openbook, pg_temp
as $$
    select m.role, m.content
    from messages m
    where m.conversation_id = openbook.answered_conversation(
        said_before.conversation, said_before.asker)
      and m.role in ('user', 'assistant') and m.content is not null
    order by m.ordinal desc
    limit 40
$$;
comment on function openbook.said_before is 'The last forty turns of a conversation of answers, the latest first.';

create or replace function openbook.failed_half(strategy text, scores jsonb) returns text
language sql immutable parallel safe
return case
    when (scores ->> 'correct')::float8 >= 1 or not scores ? 'correct' then null
    when strategy not in ('rag', 'long-context') or (scores ->> 'schema')::float8 < 1
        then 'generation'
    when (scores ->> 'context_recall')::float8 < 1 then 'retrieval'
    when scores ? 'context_recall' then 'generation'
    when (scores ->> 'retrieval_recall')::float8 = 0 then 'retrieval'
    when least((scores ->> 'format')::float8, (scores ->> 'refusal')::float8) < 1 then 'generation'
    else 'unclear' end;
comment on function openbook.failed_half is 'Which half failed an answer whose scores those are: retrieval: no passage that says the expected answer, or none of an expected document, was shown; generation: one was, or search was not asked, or the form is what failed; unclear: nobody wrote an expected answer to look for. Null: nothing failed.';
