-- What keyword search reads: an inverted index whose postings are vectors.
--
-- Sealed passages have a slot in a block of up to 4,096. A posting is one lexeme's weights in one
-- block, so that the scores of 4,096 passages are one weighted sum of as many vectors as the query
-- has lexemes. What changed since the last sealing is listed in `bm25_pending` and read as it is.
--
-- A passage is in use exactly when one of two things holds, and not both: its slot is live; it is
-- pending. Whoever changes one changes the other in the same transaction, so that a search, whose
-- statements see one snapshot, finds every passage in use exactly once.

alter table passages
    add column length integer not null generated always as (
        length(lexemes) + length(lexemes::text) - length(replace(lexemes::text, ',', ''))) stored;
comment on column passages.length is 'How many lexemes the passage has, repeated ones counted each time: BM25''s document length.';

create table bm25_blocks (
    id              bigint generated always as identity primary key,
    collection_id   bigint not null references collections,
    slots           integer not null check (slots between 1 and 4096),
    live            bit varying(4096) not null,
    live_slots      integer not null,
    live_length     bigint not null,
    average_length  double precision not null
);
create index bm25_blocks_collection on bm25_blocks (collection_id);
comment on table bm25_blocks is 'One row a block of sealed passages of a collection; written by openbook.seal_blocks() alone.';
comment on column bm25_blocks.live is 'One bit a slot, from slot 1: whether its passage counts. 0: it went out of use and was struck out.';
comment on column bm25_blocks.live_length is 'Sum of the live slots'' passages.length.';
comment on column bm25_blocks.average_length is 'The collection''s mean passages.length that the block''s weights were computed with.';

create table bm25_slots (
    passage_id  bigint primary key,
    block_id    bigint not null,
    slot        integer not null,
    unique (block_id, slot)
);
comment on table bm25_slots is 'One row a passage with a live slot: its place in its block. Passages are not referenced, since sealing would then wait for those who publish.';

create table bm25_postings (
    collection_id  bigint not null,
    lexeme         text collate "C" not null,
    block_id       bigint not null,
    entries        integer not null,
    peak           real not null,
    weights        sparsevec not null,
    primary key (collection_id, lexeme, block_id) include (entries, peak)
) with (toast_tuple_target = 8160);
create index bm25_postings_block on bm25_postings (block_id);
comment on table bm25_postings is 'One row a lexeme and block in which it stands.';
comment on column bm25_postings.entries is 'How many slots have the lexeme, struck out ones included.';
comment on column bm25_postings.peak is 'The largest of the weights.';
comment on column bm25_postings.weights is 'By slot: openbook.bm25_weight of the lexeme''s count there, a number below 1.';

create table bm25_pending (
    collection_id  bigint not null,
    passage_id     bigint not null,
    primary key (passage_id)
);
create index bm25_pending_collection on bm25_pending (collection_id);
comment on table bm25_pending is 'One row a passage of which the blocks do not yet tell the truth: in use without a live slot, or the reverse. Kept by triggers on passages, emptied by openbook.seal_blocks().';

-- Keyword search reads the lexemes of many passages: a row stays in one piece, as it is.
alter table passages set (toast_tuple_target = 8160);

create type candidate as (passage_id bigint, relevance double precision);
comment on type candidate is 'A passage in a list of them, best first. relevance: 0 to 1, its share of the best score that there could be.';

create index contents_metadata on contents using gin (metadata jsonb_path_ops);
