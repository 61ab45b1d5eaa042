with wanted as (
    insert into collections (name) values (%(name)s)
    on conflict (name) do update set name = excluded.name
    returning id, name
), source as (
    insert into sources (collection_id, name, root, language)
    select id, name, 'given:' || name, %(language)s::regconfig from wanted
    on conflict (root) do update set language = excluded.language
    returning id, name, root, language, readers
)
select s.id, s.name, s.root, w.name as collection, s.language::text as language, s.readers
from source s, wanted w;
