-- What is recorded of a source's files, set aside; the scan that follows hashes every file.
create temp table known on commit drop as
select d.id, d.path, d.status, d.sha256 from documents d where d.source_id = %(source)s;
