delete from openbook.training_files where training_run_id = %(run)s and split = %(split)s
