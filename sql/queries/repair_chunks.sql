-- Read them again: a content that lost chunks counts as unread.
update documents set status = 'pending', size_bytes = null where id = any (%(ids)s);
