-- Of the documents of the source's collection with the same bytes, the first, so that copies that
-- are read side by side ask for the same contexts.
select d.sha256, min(d.id)
from sources own
join sources s on s.collection_id = own.collection_id
join documents d on d.source_id = s.id
where own.id = %(source)s and d.sha256 = any (%(sha256s)s)
group by d.sha256;
