select run_key, backend, base, state, started_at, changed_at
from training_runs
where state in ('planned', 'submitting', 'running')
order by id;
