with held as (
    select d.id, d.readers, v.content_id
    from openbook.documents d
    join openbook.sources s on s.id = d.source_id
    join openbook.collections c on c.id = s.collection_id
    join openbook.versions v on v.id = d.version_id
    where c.name = %(collection)s
), history as (
    select r.started_at, r.embedded,
           row_number() over (partition by r.source_id order by r.id) as place
    from openbook.runs r
    join openbook.sources s on s.id = r.source_id
    join openbook.collections c on c.id = s.collection_id
    where c.name = %(collection)s and r.outcome = 'done'
)
select (select count(*) from held) as documents,
       (select count(*) - coalesce((select count(*) from held a group by a.readers
                                    order by 1 desc limit 1), 0)
        from held h) as elsewhere,
       (select count(*)
        from held h join openbook.chunks k on k.content_id = h.content_id) as chunks,
       (select coalesce(sum(p.tokens), 0)::bigint
        from held h
        join openbook.chunks k on k.content_id = h.content_id
        join openbook.passages p on p.id = k.passage_id) as tokens,
       (select coalesce(sum(r.embedded) filter (where r.place > 1), 0)::bigint
        from history r) as changed,
       (select coalesce(extract(epoch from max(r.started_at) - min(r.started_at)) / 86400, 0)
        from history r)::double precision as days
