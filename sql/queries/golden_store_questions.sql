-- Questions of a golden set with their judgements, each made what it is given as; with `only`, the
-- set holds these alone.
with given as (
    select *
    from jsonb_to_recordset(%(questions)s) as g (
        question text, expected_answer text, checks jsonb, tags text[], conversation_id bigint,
        grades jsonb)
), gone as (
    delete from golden_questions q
    where %(only)s and q.golden_set_id = %(set)s
      and q.question not in (select g.question from given g)
), asked as (
    insert into golden_questions as q (
        golden_set_id, question, expected_answer, checks, tags, conversation_id)
    select %(set)s::bigint, g.question, g.expected_answer, g.checks, g.tags, g.conversation_id
    from given g
    on conflict (golden_set_id, question) do update set
        expected_answer = excluded.expected_answer, checks = excluded.checks,
        tags = excluded.tags,
        conversation_id = coalesce(excluded.conversation_id, q.conversation_id)
    returning id, question
), judged as (
    select a.id, j.path, j.grade::integer
    from given g
    join asked a using (question)
    cross join jsonb_each_text(g.grades) j (path, grade)
), outdated as (
    delete from golden_judgements j
    using asked a
    where j.golden_question_id = a.id
      and not exists (select from judged d where d.id = a.id and d.path = j.path)
)
insert into golden_judgements (golden_question_id, path, grade)
select d.id, d.path, d.grade from judged d
on conflict (golden_question_id, path) do update set grade = excluded.grade;
