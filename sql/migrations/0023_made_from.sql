-- What a model was made from, and who kept a candidate out.

alter table chat_models add column base_artifacts bytea[] not null default '{}';
comment on column chat_models.base_artifacts is 'The artifact_sha256 of the adapters that were merged into its base, the first merged first.';

alter table gate_decisions add column refused_by text;
comment on column gate_decisions.refused_by is 'Who kept it out, where a person was asked.';
