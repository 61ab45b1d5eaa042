select m.id
from openbook.training_runs r
join openbook.chat_models m on m.training_run_id = r.id
where r.backend = %(backend)s and r.method = %(method)s and r.dataset_sha256 = %(sha256)s
  and r.base = %(base)s and r.state = 'succeeded'
  and r.settings - array['max_usd', 'usd_per_million_tokens']
      = %(settings)s::jsonb - array['max_usd', 'usd_per_million_tokens']
  and m.tainted_at is null
  and (m.retires_on > (now() at time zone 'utc')::date) is not false
order by r.id desc
limit 1
