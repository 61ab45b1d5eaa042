-- The newest examination before that asked the same questions under the same purpose and ended.
select b.id
from answer_evaluations e
join answer_evaluations b on b.name = e.name and b.purpose = e.purpose and b.id < e.id
    and b.golden_set_id is not distinct from e.golden_set_id
where e.id = %(evaluation)s and b.finished_at is not null
order by b.id desc
limit 1;
