-- The place of each chunk in its document.
select c.id, c.ordinal from chunks c where c.id = any (%(chunks)s::bigint[]);
