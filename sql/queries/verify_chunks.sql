-- Documents that readers see with fewer chunks than their content was cut into.
select d.id, s.name || '/' || d.path
from documents d
join sources s on s.id = d.source_id
join versions v on v.id = d.version_id
join contents c on c.id = v.content_id
where c.chunks <> (select count(*) from chunks k where k.content_id = c.id)
order by 2;
