-- The outcome of reading a file; its rejections are those of this reading alone.
with earlier as (
    delete from openbook.load_rejections where load_file_id = %(id)s
)
update openbook.load_files
set format = %(format)s, sha256 = %(sha256)s, status = %(status)s, read = %(read)s,
    added = %(added)s, grown = %(grown)s, unchanged = %(unchanged)s, messages = %(messages)s,
    feedback = %(feedback)s, rejected = %(rejected)s, reason = %(reason)s, remedy = %(remedy)s,
    finished_at = clock_timestamp()
where id = %(id)s;
