insert into openbook.failure_kinds (conversation_id, ordinal, kind, judge)
values (%(conversation)s, %(ordinal)s, %(kind)s, %(judge)s)
on conflict (conversation_id, ordinal) do update
set kind = excluded.kind, judge = excluded.judge, judged_at = now()
