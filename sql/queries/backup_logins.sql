-- The logins that are members of Openbook's roles, each with its roles.
select m.rolname, array_agg(g.rolname order by g.rolname)
from pg_auth_members a
join pg_roles g on g.oid = a.roleid
join pg_roles m on m.oid = a.member
where g.rolname in ('openbook_owner', 'openbook_ingest', 'openbook_search', 'openbook_analyst',
                    'openbook_trainer')
  and m.rolcanlogin
group by m.rolname
order by m.rolname;
