select count(*) from documents where source_id = %(source)s and status = 'pending';
