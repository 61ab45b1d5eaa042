-- The newest ended examination by each exam as it is now, of a model where it is asked now.
select distinct on (e.name) e.id
from openbook.answer_evaluations e
join unnest(%(names)s::text[], %(strategies)s::text[], %(hashes)s::bytea[])
    a (name, strategy, exam_sha256) using (name, strategy, exam_sha256)
where e.finished_at is not null and e.settings = %(settings)s
  and e.chat_model_id is not distinct from %(chat_model)s::bigint
  and e.endpoint_model = %(endpoint_model)s
  and e.endpoint_url is not distinct from %(endpoint_url)s::text
order by e.name, e.id desc
