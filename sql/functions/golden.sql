-- Golden questions that were taken from conversations: both are forgotten together.

create or replace function openbook.forget_golden_answers() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    delete from answer_verdicts v
    using answer_results r
    where r.golden_question_id = old.id and v.item = r.item
      and r.answer_evaluation_id in (v.answer_evaluation_id, v.other_id);
    delete from answer_results r where r.golden_question_id = old.id;
    return old;
end
$$;
comment on function openbook.forget_golden_answers is 'Trigger: what was answered to a golden question out of a conversation repeats it, and goes with it.';

create or replace trigger forget_golden_answers
before delete on openbook.golden_questions
for each row when (old.conversation_id is not null)
execute function openbook.forget_golden_answers();

create or replace function openbook.note_golden_origin() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    insert into golden_origins (conversation_id, sha256)
    values (new.conversation_id, sha256(convert_to(
        '{"messages":[{"role":"user","content":' || to_json(new.question)::text || '}]}', 'UTF8')))
    on conflict do nothing;
    return null;
end
$$;
comment on function openbook.note_golden_origin is 'Trigger: versions of datasets list a golden question by the line that asks it; whose it is stays known when the question is deleted.';

create or replace trigger note_golden_origin
after insert or update of question, conversation_id on openbook.golden_questions
for each row when (new.conversation_id is not null)
execute function openbook.note_golden_origin();

create or replace function openbook.forget_golden_questions() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
begin
    delete from golden_questions q where q.conversation_id in (select gone.id from gone);
    return null;
end
$$;
comment on function openbook.forget_golden_questions is 'Trigger: golden questions go with the conversation that they were taken from.';

create or replace trigger forget_golden_questions
after delete on openbook.conversations
referencing old table as gone
for each statement execute function openbook.forget_golden_questions();
