-- Of any run: what one of them sent may still arrive for all.
select extract(epoch from clock_timestamp() - max(r.changed_at))::double precision
from openbook.training_files f
join openbook.training_runs r on r.id = f.training_run_id
where f.sha256 = %(sha256)s and f.file_id is null
having count(*) > 0
