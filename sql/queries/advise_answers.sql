with about as (
    select a.* from openbook.answers_about(%(collection)s, %(task)s) a
), said as (
    -- When a conversation was loaded tells nothing of how many questions are asked a day.
    select coalesce(m.said_at, c.ended_at, c.started_at) as at,
           m.output_tokens, m.latency_ms, length(m.content) as characters,
           cardinality(m.chunk_ids) > 0 as stood_on_passages
    from about a
    join openbook.messages m using (conversation_id, ordinal)
    join openbook.conversations c on c.id = m.conversation_id
    where a.counts
), newest as (
    select max(s.at) as at from said s
), month as (
    select s.* from said s, newest n where s.at is null or s.at > n.at - interval '30 days'
), searches as (
    select l.asked_at from openbook.search_log l where l.collection = %(collection)s
), searched as (
    select count(*) as searches,
           greatest(1, extract(epoch from max(l.asked_at) - min(l.asked_at)) / 86400) as days
    from searches l
    where l.asked_at > (select max(o.asked_at) from searches o) - interval '30 days'
)
select (select count(*) from about a where not a.assigned) as unassigned,
       (select bool_or(a.counts) from about a where not a.assigned) as unassigned_count,
       (select count(*) from month) as answers,
       (select count(m.at) from month m) as dated,
       (select greatest(1, extract(epoch from max(m.at) - min(m.at)) / 86400)::double precision
        from month m) as days,
       (select coalesce(avg(m.output_tokens), avg(m.characters) / 4.0)::double precision
        from month m) as output_tokens,
       (select count(*) from month m where m.stood_on_passages) as on_passages,
       (select percentile_cont(.5) within group (order by m.latency_ms) from month m) as latency_ms,
       (select s.searches from searched s) as searches,
       (select s.days::double precision from searched s) as search_days
