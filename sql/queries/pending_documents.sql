select d.id as document_id, d.path, d.sha256, d.recipe
from documents d
where d.id = any (%(documents)s) and d.status = 'pending'
order by d.path;
