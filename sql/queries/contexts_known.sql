select c.document_id, c.sha256, c.context
from unnest(%(documents)s::bigint[], %(sha256s)s::bytea[]) as wanted (document_id, sha256)
join contexts c using (document_id, sha256)
where c.model = %(model)s;
