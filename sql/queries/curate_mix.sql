with own as (
    select count(*) as examples
    from curated c
    where c.step is null and c.split = 'train' and not c.general
), placed as (
    select c.ordinal, row_number() over (order by c.sha256, c.ordinal) as place
    from curated c
    where c.step is null and c.split = 'train' and c.general
)
update curated c
set step = 'mix', reason = 'enough general data'
from placed p, own
where p.ordinal = c.ordinal
  and p.place > floor(own.examples * %(share)s / (1 - %(share)s))
