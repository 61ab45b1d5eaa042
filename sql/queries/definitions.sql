-- What Openbook defined here.
select d.type, d.identity, d.name
from openbook.definitions d;
