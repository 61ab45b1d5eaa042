update runs
set seen = %(seen)s, renamed = %(renamed)s, deleted = %(deleted)s
where id = %(run)s;
