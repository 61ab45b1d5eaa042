insert into openbook.load_rejections (load_file_id, line, reason, remedy)
select %(id)s, r.line, r.reason, r.remedy
from unnest(%(lines)s::bigint[], %(reasons)s::text[], %(remedies)s::text[]) as r (line, reason, remedy)
on conflict do nothing;
