with touched as (
    update openbook.training_runs set changed_at = clock_timestamp() where id = %(run)s)
insert into openbook.training_files (training_run_id, split, sha256)
values (%(run)s, %(split)s, %(sha256)s)
on conflict do nothing
