create or replace view analytics.search_log with (security_invoker = true) as
select l.id as search_id, l.asked_at, l.login, l.principals, l.collection, l.query, l.mode, l.filter,
       l.k, cardinality(l.chunk_ids) as hits, l.chunk_ids, l.milliseconds,
       l.predicate, l.as_of, l.per_document, l.skip
from openbook.search_log l;

comment on view analytics.search_log is 'One row a search from Python, the command line or the server. A login sees its own, the owner all.';
comment on column analytics.search_log.search_id is 'Grows with time.';
comment on column analytics.search_log.asked_at is 'When the hits were known.';
comment on column analytics.search_log.login is 'The login of the program that asked.';
comment on column analytics.search_log.principals is 'The users and groups for whom it was asked; null: for one who sees everything.';
comment on column analytics.search_log.collection is 'Where was searched.';
comment on column analytics.search_log.query is 'As it was asked.';
comment on column analytics.search_log.mode is 'hybrid, dense or keyword.';
comment on column analytics.search_log.filter is 'The conditions on documents, as JSON; {} for none.';
comment on column analytics.search_log.k is 'How many hits were asked for.';
comment on column analytics.search_log.hits is 'How many there were.';
comment on column analytics.search_log.chunk_ids is 'The hits, best first; see analytics.chunks.';
comment on column analytics.search_log.milliseconds is 'From question to hits, as the asking program saw it.';
comment on column analytics.search_log.predicate is 'The conditions on documents, as SQL has them; null for none.';
comment on column analytics.search_log.as_of is 'The time at which was searched; null: at its own.';
comment on column analytics.search_log.per_document is 'Whether only the best chunk of each document was asked for.';
comment on column analytics.search_log.skip is 'How many hits were left out before the first, as pages do.';
