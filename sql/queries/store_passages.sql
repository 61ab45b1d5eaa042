-- In the order of their hashes, so that runs which store the same passages cannot deadlock. A
-- scalar subquery is one look into the index a row, also while a first load outruns the statistics.
insert into passages (collection_id, language, sha256, title, section, context, body, tokens,
                      lexemes)
select s.collection_id, s.language, r.sha256, r.title, r.section, r.context, r.body, r.tokens,
       openbook.lexemes(s.language, concat_ws(E'\n', r.title, r.section, r.context, r.body))
from (select distinct on (sha256) * from read_chunks order by sha256) r
cross join sources s
where s.id = %(source)s
  and (select p.id from passages p
       where p.collection_id = s.collection_id and p.language = s.language
         and p.sha256 = r.sha256) is null
order by r.sha256
on conflict do nothing;
