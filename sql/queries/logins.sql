-- Every login that may use the book, for whom it stands, and where.
select r.rolname as login,
       array(select g.rolname::text
             from pg_roles g
             where starts_with(g.rolname, 'openbook_') and pg_has_role(r.oid, g.oid, 'member')
             order by 1) as roles,
       array(select p.principal from principals p where p.login = r.rolname order by 1) as principals,
       array(select c.name from confinements m join collections c on c.id = m.collection_id
             where m.login = r.rolname order by 1) as collections
from pg_roles r
where r.rolcanlogin and not r.rolsuper
  and (exists (select from pg_roles g
               where starts_with(g.rolname, 'openbook_') and pg_has_role(r.oid, g.oid, 'member'))
       or exists (select from principals p where p.login = r.rolname))
order by r.rolname;
