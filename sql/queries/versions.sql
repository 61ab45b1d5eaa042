select v.id as version_id, d.name as dataset, d.kind, v.number as version, v.created_at,
       encode(v.content_sha256, 'hex') as content_sha256, v.examples,
       coalesce((
           select jsonb_object_agg(s.split, s.examples)
           from (select e.split, count(*) as examples
                 from openbook.dataset_examples e where e.version_id = v.id group by 1) s), '{}') as splits,
       v.tokens, v.tokenizer, v.tokens_exact, v.model, v.epochs, v.usd, v.price_as_of,
       v.tainted_at, v.forgotten_examples, v.code_version, v.spec, v.statistics
from openbook.dataset_versions v
join openbook.datasets d on d.id = v.dataset_id
where d.name = %(name)s or %(name)s::text is null
order by d.name, v.number desc
