select data
from openbook.training_events
where training_run_id = %(run)s and data ? 'train_loss'
order by ordinal desc
limit 1
