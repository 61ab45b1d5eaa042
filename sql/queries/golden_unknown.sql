-- Documents that a golden set's questions name and that its collection does not have: mistyped, or
-- not ingested yet. Until they are there, search cannot find them.
select distinct j.path
from golden_sets g
join golden_questions q on q.golden_set_id = g.id
join golden_judgements j on j.golden_question_id = q.id
where g.name = %(name)s
  and not exists (
      select
      from sources s
      join documents d on d.source_id = s.id and d.path = j.path
      where s.collection_id = g.collection_id and d.version_id is not null)
order by j.path;
