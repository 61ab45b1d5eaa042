-- States of known conversations, beside the ones that are stored.
create temp table incoming_conversations (like openbook.conversations including defaults) on commit drop;
