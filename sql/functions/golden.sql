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

create or replace function openbook.forget_golden_questions() returns trigger
language plpgsql
set search_path = openbook, public, pg_temp
as $$
declare
    lost  bigint[];
begin
    -- Versions of datasets list them as a split that never trains, by the line that asks them.
    with questions as (
        delete from golden_questions q
        where q.conversation_id in (select gone.id from gone)
        returning q.question
    )
    select array_agg(e.id) into lost
    from questions q
    join examples e on e.conversation_id is null and e.recipe like 'golden-%'
        and e.body = '{"messages":[{"role":"user","content":' || to_json(q.question)::text || '}]}';
    delete from dataset_examples d where d.example_id = any (lost);
    delete from examples e where e.id = any (lost);
    return null;
end
$$;
comment on function openbook.forget_golden_questions is 'Trigger: golden questions go with the conversation that they were taken from.';

create or replace trigger forget_golden_questions
after delete on openbook.conversations
referencing old table as gone
for each statement execute function openbook.forget_golden_questions();
