-- When feedback was given is what its source's clock says. What is new since a version was made is
-- told by when it was stored.

alter table feedback add column stored_at timestamptz not null default now();
update feedback set stored_at = least(given_at, stored_at);
alter table feedback alter column stored_at set default clock_timestamp();
comment on column feedback.stored_at is 'When it was stored, by the database''s clock.';
comment on column feedback.given_at is 'When it was given, as its source says.';
