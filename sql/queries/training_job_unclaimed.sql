-- A minute for clocks that differ.
select j.id
from unnest(%(jobs)s::text[], %(created)s::bigint[]) as j (id, created)
join openbook.training_runs r on r.id = %(run)s
where to_timestamp(j.created) >= r.started_at - interval '1 minute'
  and not exists (select from openbook.training_runs other where other.job_id = j.id)
order by j.created
limit 1
