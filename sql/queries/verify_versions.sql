-- Documents whose current version is another document's, or has ended, or is not their newest.
select d.id, s.name || '/' || d.path
from documents d
join sources s on s.id = d.source_id
left join versions v on v.id = d.version_id
where d.version_id is not null
        and (v.document_id is distinct from d.id
             or v.valid_to is not null
             or exists (select from versions later where later.document_id = d.id and later.id > v.id))
   or d.status = 'current' and d.version_id is null
order by 2;
