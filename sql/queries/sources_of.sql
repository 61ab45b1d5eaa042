select distinct source_id from documents where id = any (%(documents)s) order by source_id;
