insert into openbook.training_runs (
    run_key, backend, method, dataset_version_id, dataset_sha256, base, settings)
values (
    %(run_key)s, 'openai', %(method)s,
    (select max(id) from openbook.dataset_versions where content_sha256 = %(dataset)s),
    %(dataset)s, %(base)s, %(settings)s)
on conflict (run_key) do nothing
