-- Conversations: what keeps their three tables in step, whoever writes them.

create or replace function openbook.number_message() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    -- The conversation's lock makes writers of one conversation take their numbers in turn.
    perform from conversations c where c.id = new.conversation_id for no key update;
    select coalesce(max(m.ordinal), 0) + 1 into new.ordinal
    from messages m
    where m.conversation_id = new.conversation_id;
    return new;
end
$$;
comment on function openbook.number_message is 'Trigger: a message without an ordinal is its conversation''s next.';

create or replace trigger number_message
before insert on openbook.messages
for each row when (new.ordinal is null)
execute function openbook.number_message();

create or replace function openbook.touch_conversations() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    orphan  bigint;
begin
    update conversations c
    set changed_at = clock_timestamp(), content_hash = null
    where c.id in (select t.conversation_id from touched t);

    if tg_op <> 'DELETE' then
        select t.conversation_id into orphan
        from touched t
        where not exists (select from conversations c where c.id = t.conversation_id)
        limit 1;
        if found then
            raise foreign_key_violation using
                message = format('there is no conversation %s', orphan),
                hint = 'Insert the conversation before its messages.';
        end if;
    end if;
    return null;
end
$$;
comment on function openbook.touch_conversations is 'Trigger: a conversation whose messages changed says so, and a message has a conversation. Loaders, which write both, set openbook.loading to on and are not asked.';

create or replace trigger touch_conversations_insert
after insert on openbook.messages
referencing new table as touched
for each statement when (current_setting('openbook.loading', true) is distinct from 'on')
execute function openbook.touch_conversations();

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
    select c.identity_hash
    from conversations c
    where c.id = any (conversation_ids) and c.identity_hash is not null
    on conflict do nothing;

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
