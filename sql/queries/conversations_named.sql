select c.id
from openbook.conversations c
where c.external_id = %(conversation)s
   or (c.id::text = %(conversation)s
       and not exists (
           select from openbook.conversations o where o.external_id = %(conversation)s));
