-- The turns of a conversation, the latest first.
select s.role, s.content from openbook.said_before(%(conversation)s, %(asker)s) s;
