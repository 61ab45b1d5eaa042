select extract(epoch from now() - (
           select max(c.finished_at) from openbook.retrain_cycles c
           where c.task = %(task)s and c.dataset = %(dataset)s)) / 3600.0::double precision,
       (select v.number
        from openbook.dataset_versions v
        join openbook.datasets d on d.id = v.dataset_id
        where d.name = %(dataset)s and v.tainted_at is null
          and v.number = (select max(l.number) from openbook.dataset_versions l where l.dataset_id = d.id)
          and not exists (
              select from openbook.retrain_cycles c
              join openbook.dataset_versions o on o.id = c.dataset_version_id
              where c.task = %(task)s and o.content_sha256 = v.content_sha256))
