-- A conversation whose user becomes known later has another group from then on. The one that its
-- split was drawn by before is kept, so that what was held out never comes to train.

alter table conversations add column first_group text;
comment on column conversations.first_group is 'What its split was drawn by before its user or its name was another; null: that never changed. Kept by a trigger.';

-- A correction of a whole conversation is one of its last answer, as triggers see to from now on.
update feedback f
set ordinal = m.ordinal
from (select conversation_id, max(ordinal) as ordinal
      from messages where role = 'assistant' group by conversation_id) m
where f.kind in ('correction', 'regeneration') and f.ordinal is null
  and m.conversation_id = f.conversation_id;
