insert into openbook.dataset_exclusions (version_id, conversation_id, sha256, step, reason, because_of)
select %(version)s, c.conversation_id, c.sha256, c.step, c.reason, c.because_of
from curated c
where c.step is not null
union all
select %(version)s, c.conversation_id, null, 'draft', 'it has nothing to make an example of', null
from chosen c
where not exists (select from drafted d where d.conversation_id = c.conversation_id)
