-- Each document's next version opens, the one before closes, the pointer moves. A document whose
-- bytes say what its current version says keeps that version. Readers whom the new content alone was
-- meant for come with it.
with ready as (
    select d.id, d.version_id, d.readers, r.content_id,
           v.content_id is distinct from r.content_id as moves
    from unnest(%(documents)s::bigint[], %(contents)s::bigint[]) as r (document_id, content_id)
    join documents d on d.id = r.document_id
    left join versions v on v.id = d.version_id
    where d.status = 'pending'
    for update of d
), opened as (
    insert into versions (document_id, content_id, run_id)
    select id, content_id, %(run)s from ready where moves
    returning id, document_id, content_id
), closed as (
    update versions v set valid_to = now(), readers = r.readers
    from ready r
    where r.moves and v.id = r.version_id
), pointed as (
    update documents d
    set version_id = coalesce(o.id, d.version_id), status = 'current', attempts = 0,
        readers = coalesce(d.readers_due, d.readers), readers_due = null
    from ready r
    left join opened o on o.document_id = r.id
    where d.id = r.id
)
select count(*) filter (where r.moves and r.version_id is null),
       count(*) filter (where r.moves and r.version_id is not null),
       coalesce(sum((select count(*) from chunks c where c.content_id = r.content_id))
                filter (where r.moves), 0)
from ready r;
