-- What a language model writes of a chunk, so that it is found by what its document says elsewhere.

create table contexts (
    document_id  bigint not null references documents on delete cascade,
    model        text not null,
    sha256       bytea not null,
    context      text,
    refusal      text,
    stale_since  timestamptz,
    created_at   timestamptz not null default now(),
    primary key (document_id, model, sha256),
    check ((context is null) <> (refusal is null))
);
create index contexts_stale on contexts (stale_since) where stale_since is not null;
comment on table contexts is 'One row a chunk of a document and context model: what the model wrote of the chunk, bought once. It goes with its document, whose words it repeats.';
comment on column contexts.document_id is 'The document that the model was shown; of several with the same bytes, the first.';
comment on column contexts.model is 'The chat model that was asked.';
comment on column contexts.sha256 is 'Of what a context belongs to: title, section path, the chunk''s text and its neighbours in the section.';
comment on column contexts.context is 'One paragraph; null where the model was asked in vain.';
comment on column contexts.refusal is 'Why there is none; it is not asked again until the chunk or its neighbours change.';
comment on column contexts.stale_since is 'When a reading of the document no longer held the chunk; null: the last one did.';

alter table passages add column context text;
comment on column passages.context is 'What a language model says of where the body stands in its document: embedded and indexed, not the document''s own words; null where none was written.';
comment on column passages.sha256 is 'Of the embedded text: title, section path, context and body, one line each.';
comment on column contents.recipe is 'How text and chunks were made of the bytes: versions of the parser and chunker, tokenizer, chunk size, context model.';
comment on column runs.tokens is 'Tokens sent to the embedder, and to and from the context model.';
comment on column runs.usd is 'What the embedder and the context model charged, in US dollars.';
