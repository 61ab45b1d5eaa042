-- A folder is registered once; two that overlap would fight over the same files. A folder that is
-- refused leaves no collection behind.
with free as (
    select
    where not exists (
        select from sources s
        where s.root = %(root)s
           or starts_with(s.root, rtrim(%(root)s, '/') || '/')
           or starts_with(%(root)s, rtrim(s.root, '/') || '/'))
), wanted as (
    insert into collections (name)
    select coalesce(%(collection)s, 'default') from free
    on conflict (name) do update set name = excluded.name
    returning id
), name as (
    select case when exists (select from sources where sources.name = %(name)s)
                then %(root)s else %(name)s end as name
)
insert into sources (collection_id, name, root, language)
select wanted.id, name.name, %(root)s, coalesce(%(language)s, 'english')::regconfig
from wanted, name
on conflict do nothing;
