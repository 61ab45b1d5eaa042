-- The document of that path, or the documents below that folder.
select d.id
from documents d
join sources s on s.id = d.source_id
cross join lateral (values (d.path, %(path)s), (rtrim(s.root, '/') || '/' || d.path, %(absolute)s))
    as name (given, wanted)
where name.given = name.wanted or starts_with(name.given, name.wanted || '/')
group by d.id;
