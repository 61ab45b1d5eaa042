select sha256(coalesce(
           string_agg(convert_to(k.split, 'UTF8') || k.sha256, ''::bytea order by k.split, k.sha256), ''::bytea)),
       count(*) filter (where k.split <> 'golden'), coalesce(sum(k.tokens) filter (where k.split = 'train'), 0),
       count(*) filter (where k.split = 'train'), count(*) filter (where k.split = 'validation'),
       count(*) filter (where k.split = 'test')
from (
    select c.split, c.sha256, c.tokens from curated c where c.step is null
    union all
    select 'golden', e.sha256, e.tokens
    from openbook.examples e
    where e.conversation_id is null and e.recipe = %(golden)s and e.sha256 = any (%(questions)s)
) k
