copy (
    select e.body
    from openbook.dataset_examples d
    join openbook.examples e on e.id = d.example_id
    where d.version_id = %(version)s and d.split = %(split)s
    order by e.sha256
) to stdout (format csv, quote e'\x01', delimiter e'\x02')
