-- After a scan that hashed every file: paths whose file is not what was recorded before it.
select d.id, d.path
from documents d
left join known k on k.id = d.id
where d.source_id = %(source)s
  and (k.id is null
       or k.path <> d.path
       or (k.status = 'deleted') <> (d.status = 'deleted')
       or d.status <> 'deleted' and k.sha256 is distinct from d.sha256)
order by 2;
