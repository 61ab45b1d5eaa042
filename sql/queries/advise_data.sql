with about as (
    select distinct a.conversation_id
    from openbook.answers_about(%(collection)s, %(task)s) a
    where a.counts
), used as (
    select v.dataset_id, m.task
    from openbook.chat_models m
    join openbook.dataset_versions v on v.id = m.dataset_version_id
    union
    select d.id, r.task
    from openbook.retrain_cycles r
    join openbook.datasets d on d.name = r.dataset
), tasks as (
    select m.task from openbook.chat_models m union select r.task from openbook.retrain_cycles r
), eligible as (
    -- A dataset that no training has used yet is for the task where there is no other.
    select d.id
    from openbook.datasets d
    where d.kind = any (%(kinds)s)
      and case when exists (select from used u where u.dataset_id = d.id)
               then exists (select from used u
                            where u.dataset_id = d.id and u.task = %(task)s)
               else not exists (select from tasks t where t.task <> %(task)s) end
), newest as (
    select v.id, v.usd
    from openbook.dataset_versions v
    join eligible d on d.id = v.dataset_id
    -- A version that trains nobody says nothing of what there is to train on.
    order by exists (select
                     from openbook.dataset_examples x
                     join openbook.examples e on e.id = x.example_id
                     join about a on a.conversation_id = e.conversation_id
                     where x.version_id = v.id and x.split = 'train') desc,
             v.created_at desc, v.id desc
    limit 1
), training as (
    select e.conversation_id, c.user_pseudonym
    from newest n
    join openbook.dataset_examples x on x.version_id = n.id and x.split = 'train'
    join openbook.examples e on e.id = x.example_id
    join about a on a.conversation_id = e.conversation_id
    left join openbook.conversations c on c.id = e.conversation_id
), verdicts as materialized (
    select v.conversation_id, bool_or(v.kind = 'correction') as corrected, bool_or(v.good) as good,
           bool_or(not v.good) filter (
               where v.kind not in ('correction', 'regeneration')) as bad
    from openbook.feedback_verdicts() v
    group by v.conversation_id
), people as (
    select count(*) as examples
    from training t
    group by coalesce(t.user_pseudonym, t.conversation_id::text)
)
select n.usd::double precision,
       (select count(*) from training) as examples,
       (select count(*)
        from training t
        join verdicts v using (conversation_id)
        where v.corrected or v.good and v.bad is not true)
           as approved,
       (select (sum(p.examples) ^ 2 / sum(p.examples ^ 2))::double precision from people p)
           as effective_users
from newest n
