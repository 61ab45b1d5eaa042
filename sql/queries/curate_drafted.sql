create temporary table drafted on commit drop as
with groups as materialized (
    select g.split_group, openbook.split_of(%(key)s, g.split_group, %(validation)s, %(test)s) as split
    from (select split_group from chosen
          union
          select first_group from chosen where first_group is not null) g
), wanted as (
    select c.conversation_id, c.state from chosen c where not %(by_draft)s
    union all
    select distinct d.conversation_id, d.state
    from unnest(%(conversations)s::bigint[], %(states)s::bytea[]) as d (conversation_id, state)
), placed as materialized (
    -- Where a user became known later, what either of the two groups holds out is held out.
    select c.conversation_id,
           case
               when 'test' in (now.split, was.split) then 'test'
               when 'validation' in (now.split, was.split) then 'validation'
               else 'train' end as split,
           coalesce(now.split <> was.split, false) as moved
    from chosen c
    join groups now on now.split_group = c.split_group
    left join groups was on was.split_group = c.first_group
)
select (row_number() over (order by e.sha256, c.split_group, e.conversation_id))::integer as ordinal,
       e.id as example_id, e.conversation_id, e.sha256, e.text_sha256, e.tokens, e.turns, e.language,
       e.flags, c.tags, c.user_pseudonym, c.general, c.ups, c.downs, c.score, c.corrected, c.own,
       p.split, coalesce(o.split, p.split) as other_split, p.moved or coalesce(o.moved, false) as moved
from chosen c
join placed p on p.conversation_id = c.conversation_id
join wanted w on w.conversation_id = c.conversation_id
join openbook.examples e
    on e.conversation_id = w.conversation_id and e.recipe = %(recipe)s and e.state = w.state
left join placed o on o.conversation_id = e.rejected_id
