-- The versions of datasets that a model was trained on, by itself or through its base.
with recursive origins as (
    select m.id, m.base, m.training_run_id, m.base_artifacts, m.dataset_version_id
    from openbook.chat_models m
    where m.id = %(model)s
    union
    select p.id, p.base, p.training_run_id, p.base_artifacts, p.dataset_version_id
    from origins o
    cross join lateral openbook.made_from(o.base, o.training_run_id, o.base_artifacts) p
)
select distinct o.dataset_version_id
from origins o
where o.dataset_version_id is not null
order by 1
