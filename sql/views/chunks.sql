create or replace view analytics.chunks with (security_invoker = true) as
select k.id as chunk_id, d.id as document_id, s.name as source, d.path, k.ordinal,
       p.title, p.section, k.first_page, k.last_page, p.body as text, p.tokens,
       k.starts_at, k.ends_at, p.context
from openbook.documents d
join openbook.sources s on s.id = d.source_id
join openbook.versions v on v.id = d.version_id
join openbook.chunks k on k.content_id = v.content_id
join openbook.passages p on p.id = k.passage_id;

comment on view analytics.chunks is 'One row a chunk of a current document, in reading order by ordinal; without vectors.';
comment on column analytics.chunks.chunk_id is 'As in search results; documents with equal bytes share their chunks.';
comment on column analytics.chunks.document_id is 'See analytics.documents.';
comment on column analytics.chunks.source is 'The watched folder''s name.';
comment on column analytics.chunks.path is 'Relative to the source''s folder.';
comment on column analytics.chunks.ordinal is 'Place in the document, from 0.';
comment on column analytics.chunks.title is 'The document''s title, which is embedded with the text.';
comment on column analytics.chunks.section is 'The headings above the text, outermost first, which are embedded with it.';
comment on column analytics.chunks.first_page is 'Page or slide on which the text begins; null where the format has none.';
comment on column analytics.chunks.last_page is 'Page or slide on which the text ends.';
comment on column analytics.chunks.text is 'The chunk''s text.';
comment on column analytics.chunks.tokens is 'Length with title, section and context, in the embedding model''s tokens.';
comment on column analytics.chunks.starts_at is 'First character in the document''s extracted text, from 0.';
comment on column analytics.chunks.ends_at is 'The character behind the last one.';
comment on column analytics.chunks.context is 'What a language model wrote of where the text stands in its document, embedded and indexed with it; not the document''s own words. Null where none was asked for or given.';
