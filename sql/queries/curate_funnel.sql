with fallen as (
    select c.step, c.reason, count(*) as examples
    from curated c
    where c.step is not null
    group by 1, 2
    union all
    select 'draft', 'it has nothing to make an example of', count(*)
    from chosen c
    where not exists (select from drafted d where d.conversation_id = c.conversation_id)
)
select f.step, f.reason, f.examples
from fallen f
where f.examples > 0
order by array_position(
    array['draft', 'format', 'quality', 'feedback', 'decontamination', 'split', 'duplicates',
          'balance', 'mix'], f.step), f.examples desc, f.reason
