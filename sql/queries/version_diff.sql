with one as (
    select e.sha256, d.split
    from openbook.dataset_examples d join openbook.examples e on e.id = d.example_id
    where d.version_id = %(one)s
), other as (
    select e.sha256, d.split
    from openbook.dataset_examples d join openbook.examples e on e.id = d.example_id
    where d.version_id = %(other)s
)
select count(*) filter (where one.sha256 is null) as added,
       count(*) filter (where other.sha256 is null) as removed,
       count(*) filter (where one.split = other.split) as kept,
       count(*) filter (where one.split <> other.split) as moved
from one
full join other on other.sha256 = one.sha256
