-- One look into an index a content and a passage: see store_passages.
insert into chunks (content_id, ordinal, passage_id, first_page, last_page, starts_at, ends_at)
select c.id, r.ordinal,
       (select p.id from passages p
        where p.collection_id = c.collection_id and p.language = c.language
          and p.sha256 = r.sha256),
       r.first_page, r.last_page, r.starts_at, r.ends_at
from (
    select rc.reading, s.collection_id, s.language,
           (select c.id from contents c
            where c.collection_id = s.collection_id and c.language = s.language
              and c.sha256 = rc.sha256 and c.format = rc.format and c.recipe = rc.recipe) as id
    from sources s
    cross join read_contents rc
    where s.id = %(source)s
    offset 0) c
join read_chunks r using (reading)
order by c.reading, r.ordinal
on conflict (content_id, ordinal) do nothing;
