insert into openbook.training_runs (
    run_key, backend, method, dataset_version_id, dataset_sha256, base, settings)
values (
    'retrain-' || gen_random_uuid(), %(backend)s, %(method)s, %(version)s, %(sha256)s, %(base)s,
    %(settings)s)
returning id
