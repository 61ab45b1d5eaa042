-- A document that was forgotten meanwhile keeps none.
insert into contexts (document_id, model, sha256, context, refusal)
select d.id, %(model)s, bought.sha256, bought.context, bought.refusal
from unnest(%(documents)s::bigint[], %(sha256s)s::bytea[], %(contexts)s::text[], %(refusals)s::text[])
    as bought (document_id, sha256, context, refusal)
join documents d on d.id = bought.document_id
on conflict do nothing;
