with made as (
    select *
    from unnest(%(types)s::text[], %(identities)s::text[], %(names)s::text[]) d (type, identity, name)
), gone as (
    delete from openbook.definitions d
    where not exists (select from made m where m.type = d.type and m.identity = d.identity)
)
insert into openbook.definitions (type, identity, name)
select m.type, m.identity, m.name from made m
on conflict (type, identity) do nothing;
