-- What is true of every book. Each statement returns the rows that break its sentence.
--
-- `always` holds whenever anybody looks, whatever has just been killed; `at rest` holds when a run
-- has come to its end and no other is under way.

-- always: a document's version is its own and open, and all its other versions are closed
select d.id, d.path, v.id as version
from openbook.documents d
left join openbook.versions v on v.id = d.version_id or v.document_id = d.id and v.valid_to is null
where d.version_id is not null and v.id is null
   or v.document_id <> d.id
   or v.id is distinct from d.version_id and v.valid_to is null
   or v.id = d.version_id and v.valid_to is not null;

-- always: a document's versions follow one another
select a.document_id, a.id, b.id
from openbook.versions a
join openbook.versions b on b.document_id = a.document_id and b.id > a.id
where a.valid_to is null or a.valid_to > b.valid_from or a.valid_from > a.valid_to;

-- always: one document a path
select d.source_id, d.path
from openbook.documents d
group by d.source_id, d.path
having count(*) > 1;

-- always: a version's chunks are numbered from 0 without a gap, and there is one
select v.id, v.content_id, count(c.id), min(c.ordinal), max(c.ordinal)
from openbook.versions v
left join openbook.chunks c on c.content_id = v.content_id
group by v.id, v.content_id
having count(c.id) = 0 or min(c.ordinal) <> 0 or max(c.ordinal) <> count(c.id) - 1;

-- always: every passage that readers can find has its vector under the serving model
select d.path, c.ordinal
from openbook.documents d
join openbook.versions v on v.id = d.version_id
join openbook.chunks c using (content_id)
join openbook.passages p on p.id = c.passage_id
where not exists (
    select
    from openbook.embeddings e
    join openbook.models m on m.id = e.model_id
    where m.serving and e.sha256 = p.sha256);

-- always: a vector has its model's dimensions and length 1
select e.model_id, e.sha256
from openbook.embeddings e
join openbook.models m on m.id = e.model_id
where vector_dims(e.embedding) <> m.dimensions or abs(l2_norm(e.embedding) - 1) > 0.01;

-- always: passages.uses is the true count
select p.id, p.uses, count(v.id)
from openbook.passages p
left join (
    openbook.chunks c
    join openbook.versions v using (content_id)
    join openbook.documents d on d.version_id = v.id) on c.passage_id = p.id
group by p.id
having p.uses <> count(v.id);

-- always: a document's status says what it has
select d.id, d.path, d.status
from openbook.documents d
where case d.status
          when 'current' then d.version_id is null or d.reason is not null or d.sha256 is null
          when 'deleted' then d.version_id is not null or d.reason is not null
          when 'rejected' then coalesce(d.reason, '') = ''
          when 'pending' then d.reason is not null or d.sha256 is null
      end;

-- always: what readers see of an up-to-date document was made of the bytes that the scan saw
select d.id, d.path
from openbook.documents d
join openbook.versions v on v.id = d.version_id
join openbook.contents c on c.id = v.content_id
where d.status = 'current' and (c.sha256, c.recipe) is distinct from (d.sha256, d.recipe);

-- always: a passage stands where its chunk says
select c.id, c.content_id, c.ordinal
from openbook.chunks c
join openbook.contents t on t.id = c.content_id
join openbook.passages p on p.id = c.passage_id
where regexp_replace(substr(t.text, c.starts_at + 1, c.ends_at - c.starts_at), '\s+', '', 'g')
   <> regexp_replace(p.body, '\s+', '', 'g');

-- always: a passage is known by its text
select p.id
from openbook.passages p
where p.sha256 <> sha256(convert_to(concat_ws(E'\n', p.title, p.section, p.context, p.body), 'UTF8'));

-- always: no passage is without a chunk
select p.id
from openbook.passages p
where not exists (select from openbook.chunks c where c.passage_id = p.id);

-- always: no vector is without a passage
select e.model_id, e.sha256
from openbook.embeddings e
where not exists (select from openbook.passages p where p.sha256 = e.sha256);

-- always: a passage is in use when its slot is live, unless it waits to be sealed
select p.id, p.uses, b.id as block, s.slot
from openbook.passages p
left join openbook.bm25_slots s on s.passage_id = p.id
left join openbook.bm25_blocks b on b.id = s.block_id
where ((p.uses > 0) <> (coalesce(get_bit(b.live, s.slot - 1), 0) = 1))
   <> exists (select from openbook.bm25_pending w where w.passage_id = p.id);

-- always: what waits to be sealed is a passage of its collection
select w.passage_id
from openbook.bm25_pending w
left join openbook.passages p on p.id = w.passage_id and p.collection_id = w.collection_id
where p.id is null;

-- always: a block counts its live slots
select b.id
from openbook.bm25_blocks b
where b.live_slots <> bit_count(b.live);

-- always: a run that has ended says when and, if it failed, why
select r.id, r.outcome
from openbook.runs r
where (r.outcome = 'running') <> (r.finished_at is null)
   or (r.outcome in ('failed', 'abandoned')) <> (r.error is not null);

-- always: one run a source is under way
select r.source_id
from openbook.runs r
where r.outcome = 'running'
group by r.source_id
having count(*) > 1;

-- at rest: no run is under way
select r.id, r.started_at
from openbook.runs r
where r.outcome = 'running';

-- at rest: every file has its answer
select d.id, d.path
from openbook.documents d
where d.status = 'pending';

-- at rest: a run does not count more files than it saw
select r.id
from openbook.runs r
where r.outcome = 'done' and r.seen < r.new + r.changed + r.unchanged + r.renamed + r.rejected;
