-- Whether row-level security is nothing to this user, and whether it hides nothing from him.
select r.rolsuper or r.rolbypassrls,
       r.rolsuper or r.rolbypassrls or pg_has_role(c.relowner, 'usage')
from pg_roles r
join pg_class c on c.oid = 'openbook.documents'::regclass
where r.rolname = current_user;
