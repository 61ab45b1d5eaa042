-- Dollars of the last 30 days.
select (select coalesce(sum(usd), 0)::double precision from runs
        where started_at > now() - interval '30 days') as documents,
       (select coalesce(sum(usd), 0)::double precision from reembeddings
        where started_at > now() - interval '30 days') as reembedding,
       (select coalesce(sum(usd), 0)::double precision from training_runs
        where started_at > now() - interval '30 days' and job_id is not null) as training;
