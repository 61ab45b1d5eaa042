select id from documents where source_id = %(source)s and status = 'pending' order by path;
