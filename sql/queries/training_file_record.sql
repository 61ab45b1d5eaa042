insert into openbook.training_files (training_run_id, split, sha256, file_id, uploaded_at)
values (%(run)s, %(split)s, %(sha256)s, %(file_id)s, now())
on conflict (training_run_id, split)
do update set file_id = excluded.file_id, uploaded_at = excluded.uploaded_at
