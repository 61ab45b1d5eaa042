-- A golden set's questions become exactly these; a judgement that comes twice counts as its last.
with given as (
    select g.question, g.path, (array_agg(g.grade order by g.ordinal desc))[1] as grade
    from unnest(%(questions)s::text[], %(paths)s::text[], %(grades)s::integer[])
        with ordinality g (question, path, grade, ordinal)
    group by g.question, g.path
), gone as (
    delete from golden_questions q
    where q.golden_set_id = %(set)s and q.question not in (select g.question from given g)
), asked as (
    insert into golden_questions (golden_set_id, question)
    select distinct %(set)s::bigint, g.question from given g
    on conflict (golden_set_id, question) do update set question = excluded.question
    returning id, question
), outdated as (
    delete from golden_judgements j
    using asked a
    where j.golden_question_id = a.id
      and not exists (select from given g where g.question = a.question and g.path = j.path)
)
insert into golden_judgements (golden_question_id, path, grade)
select a.id, g.path, g.grade
from given g
join asked a using (question)
on conflict (golden_question_id, path) do update set grade = excluded.grade;
