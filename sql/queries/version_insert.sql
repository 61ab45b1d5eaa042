insert into openbook.dataset_versions (
    dataset_id, number, spec, spec_sha256, code_version, content_sha256, examples, tokens, tokenizer,
    tokens_exact, model, epochs, usd, price_as_of, statistics)
select d.id,
       (select coalesce(max(v.number), 0) + 1 from openbook.dataset_versions v where v.dataset_id = d.id),
       %(spec)s, %(spec_sha256)s, %(code_version)s, %(content_sha256)s, %(examples)s, %(tokens)s,
       %(tokenizer)s, %(tokens_exact)s, %(model)s, %(epochs)s, %(usd)s, %(price_as_of)s, %(statistics)s
from openbook.datasets d
where d.name = %(name)s
returning id, number
