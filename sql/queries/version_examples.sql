insert into openbook.dataset_examples (version_id, example_id, split)
select %(version)s, c.example_id, c.split
from curated c
where c.step is null
union all
select %(version)s, e.id, 'golden'
from openbook.examples e
where e.conversation_id is null and e.recipe = %(golden)s
  and e.sha256 = any (%(questions)s)
order by 2  -- the indexes then grow at their end
