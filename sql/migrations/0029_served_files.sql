-- A model that is served from a file is known by the file's bytes.

alter table chat_models add column served_sha256 bytea check (octet_length(served_sha256) = 32);
comment on column chat_models.served_sha256 is 'Of the file that its server loads, where endpoint_model is one on the machine that registered it; checked whenever it is loaded.';
