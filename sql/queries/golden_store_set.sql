-- A set that is there keeps its collection and purpose where none are given.
insert into golden_sets (name, collection_id, purpose)
values (%(name)s, (select c.id from collections c where c.name = %(collection)s),
        coalesce(%(purpose)s, 'task'))
on conflict (name) do update set
    collection_id = coalesce(excluded.collection_id, golden_sets.collection_id),
    purpose = coalesce(%(purpose)s, golden_sets.purpose)
returning id, collection_id is null as about_nothing;
