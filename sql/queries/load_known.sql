-- The files below a folder whose last reading came to its end.
select f.path, f.size_bytes, f.mtime_ns
from openbook.load_files f
where starts_with(f.path, %(folder)s) and f.finished_at is not null;
