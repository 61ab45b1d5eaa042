with judged as (
    update answer_evaluations set judge = %(judge)s where id = %(evaluation)s
)
insert into answer_verdicts (answer_evaluation_id, other_id, item, judge, verdict, reason)
values (%(evaluation)s, %(other)s, %(item)s, %(judge)s, %(verdict)s, %(reason)s)
on conflict (answer_evaluation_id, other_id, item, judge) do update set
    verdict = excluded.verdict, reason = excluded.reason, judged_at = now();
