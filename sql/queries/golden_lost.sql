-- Golden questions about the source's collection of whose answering documents none can be read.
select g.name, count(*) as questions
from golden_sets g
join golden_questions q on q.golden_set_id = g.id
where g.collection_id = (select s.collection_id from sources s where s.id = %(source)s)
  and exists (select from golden_judgements j where j.golden_question_id = q.id and j.grade > 0)
  and not exists (
      select
      from golden_judgements j
      join sources s on s.collection_id = g.collection_id
      join documents d on d.source_id = s.id and d.path = j.path
      where j.golden_question_id = q.id and j.grade > 0 and d.version_id is not null)
group by g.name
order by g.name;
