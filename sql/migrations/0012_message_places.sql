-- A message without an ordinal is given a provisional one, and its place when its statement ends: a
-- trigger a row, which did it before, cost each row of a load as much as its key.

create sequence message_places as integer minvalue 1000000001 cycle owned by messages.ordinal;
comment on sequence message_places is 'Provisional ordinals of messages that were inserted without one.';
alter table messages alter ordinal set default nextval('message_places');

drop trigger if exists number_message on messages;
drop function if exists number_message();

-- Nothing asks which conversations a file held but the deletion of the file, which is rare.
drop index conversations_load_file;
