-- Of two states of a conversation that are equally long, the one that came later stays.

alter table conversations add column line bigint;
comment on column conversations.line is 'The line of its file that said the most of it, from 1; null where it came by another way.';

-- It is asked more than it was.
drop function if exists claim_conversations(bytea[], bytea[]);

comment on table forgotten_conversations is 'One row a conversation that was forgotten and is not loaded again, by a keyed hash that tells nothing of it: of its identity, and of all that was said in it, which is the identity of the same conversation without an id.';
