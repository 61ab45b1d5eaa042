-- A content that lost chunks counts as unread: reading it again fills them in.
select c.id, c.sha256, c.format, c.recipe
from sources s
cross join unnest(%(sha256s)s::bytea[], %(formats)s::text[], %(recipes)s::text[])
    as wanted (sha256, format, recipe)
cross join lateral (
    select c.id, c.sha256, c.format, c.recipe, c.chunks
    from contents c
    where c.collection_id = s.collection_id and c.language = s.language
      and c.sha256 = wanted.sha256 and c.format = wanted.format and c.recipe = wanted.recipe
    offset 0) c
where s.id = %(source)s
  and c.chunks = (select count(*) from chunks k where k.content_id = c.id);
