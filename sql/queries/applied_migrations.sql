-- Each applied migration, and in every row the fingerprint of the definitions applied last.
select m.version, m.name, m.sha256, d.sha256
from openbook.schema_migrations m
left join openbook.schema_definitions d on true
order by m.version;
