create temp table incoming_messages (like openbook.messages) on commit drop;
