-- What the run gave readers to see: the newest documents first, whether each is new, and its chunks.
select d.path,
       not exists (select from versions earlier
                   where earlier.document_id = d.id and earlier.id < v.id) as new,
       (select count(*) from chunks c where c.content_id = v.content_id) as chunks
from versions v
join documents d on d.id = v.document_id
where v.run_id = %(run)s
order by v.id desc
limit %(limit)s;
