-- The rest of what a search asked, so that it can be asked again.

alter table search_log
    add column predicate text,
    add column as_of timestamptz,
    add column per_document boolean not null default false,
    add column skip integer not null default 0;
comment on column search_log.filter is 'The conditions as JSON, {} for none; of one that is longer than 100,000 characters, its beginning, as a text.';
comment on column search_log.predicate is 'The conditions as SQL has them; null for none.';
comment on column search_log.as_of is 'The time at which was searched; null: at its own.';
comment on column search_log.per_document is 'Whether only the best chunk of each document was asked for.';
comment on column search_log.skip is 'How many hits were left out before the first.';
