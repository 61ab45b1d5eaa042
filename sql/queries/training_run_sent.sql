select extract(epoch from clock_timestamp() - changed_at)::double precision
from openbook.training_runs
where id = %(run)s and state = 'submitting'
