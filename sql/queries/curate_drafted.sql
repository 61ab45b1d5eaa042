create temporary table drafted on commit drop as
with placed as materialized (
    select g.split_group, openbook.split_of(%(key)s, g.split_group, %(validation)s, %(test)s) as split
    from (select distinct split_group from chosen) g
)
select (row_number() over (order by e.sha256, c.split_group, e.conversation_id))::integer as ordinal,
       e.id as example_id, e.conversation_id, e.sha256, e.text_sha256, e.tokens, e.turns, e.language,
       e.flags, c.tags, c.user_pseudonym, c.general, c.ups, c.downs, c.score, c.corrected,
       p.split, coalesce(o.split, p.split) as other_split
from chosen c
join placed p on p.split_group = c.split_group
join openbook.examples e
    on e.conversation_id = c.conversation_id and e.recipe = %(recipe)s
   and e.state = any (case when %(by_draft)s then %(states)s::bytea[] else array[c.state] end)
left join chosen r on r.conversation_id = e.rejected_id
left join placed o on o.split_group = r.split_group
