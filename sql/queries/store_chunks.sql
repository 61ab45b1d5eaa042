insert into chunks (content_id, ordinal, passage_id, first_page, last_page, starts_at, ends_at)
select c.id, r.ordinal, p.id, r.first_page, r.last_page, r.starts_at, r.ends_at
from sources s
cross join read_contents rc
join read_chunks r on r.reading = rc.reading
join contents c on c.collection_id = s.collection_id and c.language = s.language
    and c.sha256 = rc.sha256 and c.format = rc.format and c.recipe = rc.recipe
join passages p on p.collection_id = s.collection_id and p.language = s.language
    and p.sha256 = r.sha256
where s.id = %(source)s
order by rc.reading, r.ordinal
on conflict (content_id, ordinal) do nothing;
