select m.id, m.task, m.name, m.version, m.stage, m.base, m.training_run_id, m.dataset_version_id,
       d.name || '@' || v.number as dataset, m.endpoint_url, m.endpoint_model, m.artifact,
       m.artifact_sha256, m.served_sha256, m.host, m.settings, m.tainted_at, m.retires_on, m.registered_at
from openbook.chat_models m
left join openbook.dataset_versions v on v.id = m.dataset_version_id
left join openbook.datasets d on d.id = v.dataset_id
where m.task = coalesce(%(task)s, m.task)
  and m.name = coalesce(%(name)s, m.name)
  and m.version = coalesce(%(version)s, m.version)
  and m.id = coalesce(%(id)s, m.id)
  and (m.stage = 'serving' or not %(serving)s)
order by m.task, m.name, m.version
