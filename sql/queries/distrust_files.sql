-- The next scan hashes all files of the source, whatever their times say.
update documents set ctime_ns = null where source_id = %(source)s;
