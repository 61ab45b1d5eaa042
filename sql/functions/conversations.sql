-- Conversations: what keeps their three tables in step, whoever writes them.

create or replace function openbook.touch_conversations() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    update conversations c
    set changed_at = clock_timestamp(), content_hash = null
    where c.id in (select t.conversation_id from touched t);
    return null;
end
$$;
comment on function openbook.touch_conversations is 'Trigger: a conversation whose messages changed says so. Loaders, which write both, set openbook.loading to on and are not asked.';

create or replace function openbook.receive_messages() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    provisional  constant integer := 1000000000;
    orphan       bigint;
begin
    -- The conversation's lock makes writers of one conversation take their numbers in turn.
    update conversations c
    set changed_at = clock_timestamp(), content_hash = null
    where c.id in (select t.conversation_id from touched t);

    select t.conversation_id into orphan
    from touched t
    where not exists (select from conversations c where c.id = t.conversation_id)
    limit 1;
    if found then
        raise foreign_key_violation using
            message = format('there is no conversation %s', orphan),
            hint = 'Insert the conversation before its messages.';
    end if;

    -- Its own numbering is no change of a message. (A `set` of the function itself would be for
    -- superusers.)
    perform set_config('openbook.loading', 'on', true);
    update messages m
    set ordinal = p.ordinal
    from (
        select t.conversation_id, t.ordinal as given,
               row_number() over (partition by t.conversation_id order by t.ordinal)
               + coalesce((
                   select max(o.ordinal)
                   from messages o
                   where o.conversation_id = t.conversation_id and o.ordinal <= provisional), 0) as ordinal
        from touched t
        where t.ordinal > provisional) p
    where m.conversation_id = p.conversation_id and m.ordinal = p.given;
    perform set_config('openbook.loading', '', true);
    return null;
end
$$;
comment on function openbook.receive_messages is 'Trigger: a message has a conversation, which says that it changed; one without an ordinal is the next. Loaders, which write both tables, set openbook.loading to on and are not asked.';

create or replace trigger touch_conversations_insert
after insert on openbook.messages
referencing new table as touched
for each statement when (current_setting('openbook.loading', true) is distinct from 'on')
execute function openbook.receive_messages();

create or replace trigger touch_conversations_update
after update on openbook.messages
referencing new table as touched
for each statement when (current_setting('openbook.loading', true) is distinct from 'on')
execute function openbook.touch_conversations();

create or replace trigger touch_conversations_delete
after delete on openbook.messages
referencing old table as touched
for each statement when (current_setting('openbook.loading', true) is distinct from 'on')
execute function openbook.touch_conversations();

create or replace function openbook.delete_messages() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    delete from messages m using gone where m.conversation_id = gone.id;
    return null;
end
$$;
comment on function openbook.delete_messages is 'Trigger: messages go with their conversation.';

create or replace trigger delete_messages
after delete on openbook.conversations
referencing old table as gone
for each statement execute function openbook.delete_messages();

create or replace function openbook.place_correction() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    select max(m.ordinal) into new.ordinal
    from messages m
    where m.conversation_id = new.conversation_id and m.role = 'assistant';
    return new;
end
$$;
comment on function openbook.place_correction is 'Trigger: what should have been said in place of a whole conversation is said in place of the last answer there is.';

create or replace trigger place_correction
before insert on openbook.feedback
for each row when (new.ordinal is null and new.kind in ('correction', 'regeneration'))
execute function openbook.place_correction();

create or replace function openbook.forget_queries(conversation_ids bigint[]) returns void
language sql volatile
-- Who ingests may forget what others have asked, and not read it.
security definer
set search_path = openbook, public, pg_temp
as $$
    with said as (
        select left(m.content, 10000) as text,
               lag(m.content) over (partition by m.conversation_id order by m.ordinal) as before
        from messages m
        where m.conversation_id = any (conversation_ids) and m.role = 'user' and m.content <> ''
    ), asked as (
        -- A short question is searched for together with the one before it.
        select distinct s.text
        from said
        cross join lateral (
            values (said.text), (left(said.before || ' ' || said.text, 10000))) s (text)
        where s.text is not null
    ), logged as (
        delete from search_log l using asked where l.query = asked.text
    )
    delete from query_embeddings q
    using asked
    where q.query in (asked.text, (openbook.read_query(asked.text)).words);
$$;
comment on function openbook.forget_queries is 'Delete what was searched for in the words of these conversations, from the log of searches and from the queries whose vectors are kept, whoever searched.';

create or replace function openbook.forget_conversations(
    conversation_ids bigint[], reason text, subject text default null)
returns table (conversations bigint, messages bigint, feedback bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    select count(*) into messages from messages m where m.conversation_id = any (conversation_ids);
    select count(*) into feedback from feedback f where f.conversation_id = any (conversation_ids);

    insert into forgotten_conversations (identity_hash)
    select distinct h.hash
    from conversations c
    cross join lateral (values (c.identity_hash), (c.content_hash)) h (hash)
    where c.id = any (conversation_ids) and h.hash is not null
    on conflict do nothing;

    perform openbook.forget_queries(conversation_ids);
    delete from conversations c where c.id = any (conversation_ids);
    get diagnostics conversations = row_count;

    if conversations > 0 then
        insert into erasures (reason, subject, conversations, messages, feedback)
        values (forget_conversations.reason, forget_conversations.subject,
                forget_conversations.conversations, forget_conversations.messages,
                forget_conversations.feedback);
    end if;
    return next;
end
$$;
comment on function openbook.forget_conversations is 'Delete conversations with their messages and feedback, see that they are not loaded again, and write down that it was done; how many rows of each went. What else holds copies of them has a trigger on the deletion of conversations.';

create or replace function openbook.expire_conversations(retention interval)
returns table (conversations bigint, messages bigint, feedback bigint)
language sql
set search_path = openbook, public, pg_temp
as $$
    select gone.*
    from openbook.forget_conversations(array(
        select c.id
        from conversations c
        where coalesce(c.ended_at, c.started_at, c.logged_at) < now() - retention), 'retention') gone;
$$;
comment on function openbook.expire_conversations is 'Forget the conversations whose last message was said longer ago than the retention.';

create or replace function openbook.claim_conversations(
    identities bytea[], contents bytea[], have_users boolean[], have_tenants boolean[])
returns table (place bigint, conversation_id bigint, standing text)
language sql
set search_path = openbook, public, pg_temp
-- One look into an index a conversation: a first load outruns the statistics, which still say that
-- the table is empty and worth reading from end to end each time.
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
    select given.place,
           coalesce(c.id, nextval(pg_get_serial_sequence('openbook.conversations', 'id'))),
           case
               when f.identity_hash is not null then 'forgotten'
               when c.id is null then 'new'
               when c.content_hash = given.content
                   and not (given.has_user and c.user_pseudonym is null)
                   and not (given.has_tenant and c.tenant_pseudonym is null) then 'known'
               else 'changed'
           end
    from unnest(identities, contents, have_users, have_tenants)
        with ordinality as given (identity, content, has_user, has_tenant, place)
    left join conversations c on c.identity_hash = given.identity
    left join forgotten_conversations f on f.identity_hash = given.identity
    order by given.place;
$$;
comment on function openbook.claim_conversations is 'For each conversation of a load: its id, a new one if need be, and whether it is new, known as it stands, changed (what was said, or that it is known now who said it), or forgotten.';

create or replace function openbook.as_answer(content text, tool_calls jsonb) returns jsonb
language sql immutable parallel safe
set search_path = openbook, public, pg_temp
as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'role', 'assistant', 'content', as_answer.content, 'tool_calls', as_answer.tool_calls));
$$;
comment on function openbook.as_answer is 'An answer as feedback.alternative holds it.';

create or replace function openbook.merge_conversations()
returns table (grown bigint, messages bigint)
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    winners  bigint[];
begin
    create temp table merge_cuts on commit drop as
    select i.conversation_id, min(i.ordinal) as ordinal
    from incoming_messages i
    left join messages m using (conversation_id, ordinal)
    where (m.role, m.content, m.parts, m.tool_calls, m.tool_call_id, m.name, m.weight)
          is distinct from
          (i.role, i.content, i.parts, i.tool_calls, i.tool_call_id, i.name, i.weight)
    group by i.conversation_id;

    -- The longer state wins, then the later one by the sources' clocks, which are coarse, then the
    -- one that came later: within one reading of a file by its line, since blocks of a file overtake
    -- each other; else the one that comes now, unless its answer is known to have given way.
    select coalesce(array_agg(i.id), '{}') into winners
    from incoming_conversations i
    join conversations c on c.id = i.id
    left join merge_cuts cut on cut.conversation_id = i.id
    left join load_files f on f.id = i.load_file_id
    cross join lateral (
        select count(*) as length from incoming_messages m where m.conversation_id = i.id) theirs
    cross join lateral (
        select count(*) as length from messages m where m.conversation_id = i.id) ours
    where i.content_hash is distinct from c.content_hash
      and (theirs.length, coalesce(i.ended_at, '-infinity'))
          >= (ours.length, coalesce(c.ended_at, '-infinity'))
      and ((theirs.length, coalesce(i.ended_at, '-infinity'))
           > (ours.length, coalesce(c.ended_at, '-infinity'))
           or case
               when c.load_file_id = i.load_file_id and c.changed_at >= f.started_at
                   then i.line >= c.line
               else not exists (
                   select
                   from feedback b
                   join incoming_messages m using (conversation_id, ordinal)
                   where b.conversation_id = i.id and b.ordinal = cut.ordinal
                     and b.kind = 'regeneration'
                     and b.alternative = openbook.as_answer(m.content, m.tool_calls))
           end);

    -- An answer that another one took the place of is worth a pair for preference tuning, whichever
    -- of the two came first; those that it had taken the place of itself stay beside it.
    create temp table merge_replaced on commit drop as
    select cut.conversation_id, cut.ordinal, lost.answer
    from merge_cuts cut
    join messages m using (conversation_id, ordinal)
    join incoming_messages i using (conversation_id, ordinal)
    cross join lateral (
        select cut.conversation_id = any (winners) as won,
               openbook.as_answer(m.content, m.tool_calls) as ours,
               openbook.as_answer(i.content, i.tool_calls) as theirs) two
    cross join lateral (
        select case when two.won then two.ours else two.theirs end as answer
        union
        select b.alternative
        from feedback b
        where two.won and b.conversation_id = cut.conversation_id and b.ordinal = cut.ordinal
          and b.kind = 'regeneration') lost
    where m.role = 'assistant' and i.role = 'assistant'
      and lost.answer <> case when two.won then two.theirs else two.ours end;

    delete from messages m
    using unnest(winners) as won (id)
    left join merge_cuts cut on cut.conversation_id = won.id
    where m.conversation_id = won.id
      and (m.ordinal >= cut.ordinal
           or m.ordinal > (select count(*) from incoming_messages i where i.conversation_id = won.id));

    insert into messages
    select i.*
    from incoming_messages i
    join merge_cuts cut on cut.conversation_id = i.conversation_id and i.ordinal >= cut.ordinal
    where i.conversation_id = any (winners);
    get diagnostics messages = row_count;

    insert into feedback (conversation_id, ordinal, kind, alternative)
    select r.conversation_id, r.ordinal, 'regeneration', r.answer
    from merge_replaced r
    where not exists (
        select
        from feedback b
        where b.conversation_id = r.conversation_id and b.ordinal = r.ordinal
          and b.kind = 'regeneration' and b.alternative = r.answer);

    update conversations c
    set content_hash = i.content_hash,
        external_id = coalesce(c.external_id, i.external_id),
        load_file_id = i.load_file_id,
        line = i.line,
        format = i.format,
        user_pseudonym = coalesce(i.user_pseudonym, c.user_pseudonym),
        tenant_pseudonym = coalesce(i.tenant_pseudonym, c.tenant_pseudonym),
        model = coalesce(i.model, c.model),
        started_at = least(c.started_at, i.started_at),
        ended_at = coalesce(i.ended_at, c.ended_at),
        tags = array(select distinct tag from unnest(c.tags || i.tags) as tag order by tag),
        tools = coalesce(i.tools, c.tools),
        metadata = c.metadata || i.metadata,
        changed_at = clock_timestamp()
    from incoming_conversations i
    where c.id = i.id and i.id = any (winners);
    get diagnostics grown = row_count;

    -- A state that stays behind may still know who said it.
    update conversations c
    set user_pseudonym = coalesce(c.user_pseudonym, i.user_pseudonym),
        tenant_pseudonym = coalesce(c.tenant_pseudonym, i.tenant_pseudonym)
    from incoming_conversations i
    where c.id = i.id
      and ((c.user_pseudonym is null and i.user_pseudonym is not null)
           or (c.tenant_pseudonym is null and i.tenant_pseudonym is not null));

    drop table merge_cuts, merge_replaced;
    return next;
end
$$;
comment on function openbook.merge_conversations is 'Bring known conversations to the state in the temporary tables incoming_conversations and incoming_messages, where that one is the later, and keep the answers that gave way; how many, and how many messages they gained.';

create or replace function openbook.feedback_verdicts()
returns table (id bigint, conversation_id bigint, ordinal integer, kind text, good boolean)
language sql stable
set search_path = openbook, pg_temp
as $$
    -- A source's scale is the least usual one that holds its scores: 0 or -1 to 1, 0 or 1 to 5,
    -- 0 or 1 to 10, 0 to 100. A single value tells none: 1 is the best of one and the worst of five.
    with reach as (
        select f.source, min(f.value) as least,
               (select min(t.top) from unnest(array[1, 5, 10, 100]) t (top)
                where t.top >= max(abs(f.value))) as top
        from feedback f
        where f.kind = 'score'
        group by f.source
        having min(f.value) < max(f.value)
    ), scales as (
        select r.source,
               (r.top + case when r.least < 0 then -r.top
                             when r.least >= 1 and r.top in (5, 10) then 1
                             else 0 end) / 2.0 as middle
        from reach r
    )
    select f.id, f.conversation_id, f.ordinal, f.kind,
           case f.kind
               when 'correction' then false
               when 'regeneration' then false
               when 'score' then case when f.value > s.middle then true
                                      when f.value < s.middle then false end
               else case when f.value > 0 then true when f.value < 0 then false end
           end
    from feedback f
    left join scales s on f.kind = 'score' and s.source is not distinct from f.source
$$;
comment on function openbook.feedback_verdicts is 'What each feedback says of the answer: good, not good, or null, neither. A score is good in the upper half of its scale, not good in the lower half; the scale is known once its source gave two different scores, none beyond 100.';
