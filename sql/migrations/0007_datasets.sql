-- Datasets: examples made of logged conversations, and the immutable versions that choose among them.
--
-- An example depends on one conversation and a recipe alone: it is made when the conversation is
-- first curated, and kept. A version is a list of examples with their splits. Examples refer to
-- conversations without a foreign key: a trigger on their deletion takes the examples out of every
-- version, and marks it, in a few statements however many go.

create table examples (
    id               bigint generated always as identity primary key,
    recipe           text not null,
    conversation_id  bigint,
    rejected_id      bigint,
    state            bytea not null,
    sha256           bytea not null,
    text_sha256      bytea not null,
    tokens           integer not null,
    turns            integer not null,
    language         text,
    flags            text[] not null default '{}',
    personal         jsonb not null default '{}',
    ordinals         integer[] not null default '{}',
    chunk_ids        bigint[] not null default '{}',
    made_at          timestamptz not null default now(),
    words            bytea not null,
    signature        bytea not null,
    body             text not null,
    unique (conversation_id, recipe, state, sha256)
);
create index examples_rejected on examples (rejected_id) where rejected_id is not null;
create index examples_sha256 on examples (sha256);
alter table examples alter column words set storage external;
alter table examples alter column signature set storage external;
comment on table examples is 'One row an example as a recipe made it of a conversation: redacted, in its final form, measured. What versions are lists of.';
comment on column examples.recipe is 'The kind of dataset and what else decides how the example is made: redaction, tokenizer, version of the code.';
comment on column examples.conversation_id is 'Null for a golden question, which nobody logged.';
comment on column examples.rejected_id is 'Of a preference pair whose answers come from two conversations: the one with the worse answer.';
comment on column examples.state is 'What the conversation and its corrections were when it was made; a conversation that changed has another example.';
comment on column examples.sha256 is 'Of the body''s bytes in UTF-8: the example''s identity.';
comment on column examples.text_sha256 is 'Of what is said in it, lower-cased: equal for exact duplicates.';
comment on column examples.tokens is 'As the recipe''s tokenizer counts.';
comment on column examples.turns is 'Answers of the assistant.';
comment on column examples.language is 'ISO 639-1; null where too little tells.';
comment on column examples.flags is 'refusal, error, and which rules of the format it breaks (invalid: …).';
comment on column examples.personal is 'How many texts of each class of personal data were replaced.';
comment on column examples.ordinals is 'Of messages: which of the conversation''s it holds.';
comment on column examples.chunk_ids is 'Of chunks: the passages that it quotes or shows.';
comment on column examples.words is 'A 32-bit hash a word, 0 behind each message: what overlap is told by.';
comment on column examples.signature is 'MinHash, 128 x 16 bits: what near-duplicates are told by.';
comment on column examples.body is 'The line of the exported file.';

create table datasets (
    id          bigint generated always as identity primary key,
    name        text not null unique,
    kind        text not null check (kind in ('sft', 'preference', 'raft')),
    created_at  timestamptz not null default now()
);
comment on table datasets is 'One row a dataset: what a spec''s name stands for.';

create table dataset_versions (
    id                  bigint generated always as identity primary key,
    dataset_id          bigint not null references datasets on delete cascade,
    number              integer not null,
    spec                jsonb not null,
    spec_sha256         bytea not null,
    code_version        text not null,
    content_sha256      bytea not null,
    examples            integer not null,
    tokens              bigint not null,
    tokenizer           text not null,
    tokens_exact        boolean not null,
    model               text not null,
    epochs              integer,
    usd                 numeric,
    price_as_of         date,
    statistics          jsonb not null default '{}',
    created_at          timestamptz not null default now(),
    tainted_at          timestamptz,
    forgotten_examples  integer not null default 0,
    unique (dataset_id, number)
);
create index dataset_versions_content on dataset_versions (content_sha256);
comment on table dataset_versions is 'One row a version of a dataset. Immutable, but for what is forgotten: then it is marked as tainted.';
comment on column dataset_versions.number is 'From 1, within the dataset.';
comment on column dataset_versions.spec is 'The whole recipe, defaults written out.';
comment on column dataset_versions.content_sha256 is 'Of the splits and hashes of its examples, sorted, as they were when it was made.';
comment on column dataset_versions.tokens is 'Of the training split.';
comment on column dataset_versions.tokens_exact is 'False: counted with another model''s tokenizer, an estimate.';
comment on column dataset_versions.model is 'The model that it is meant for.';
comment on column dataset_versions.epochs is 'Passes over the training split that the price is for.';
comment on column dataset_versions.usd is 'What training would cost at the price of price_as_of; null where there is no known price.';
comment on column dataset_versions.statistics is 'Histograms of the card: tokens, turns, languages, personal data.';
comment on column dataset_versions.tainted_at is 'When a conversation that it held was first forgotten; null: never.';
comment on column dataset_versions.forgotten_examples is 'How many of its examples are gone since.';

create table dataset_examples (
    version_id  bigint not null references dataset_versions on delete cascade,
    example_id  bigint not null,
    split       text not null check (split in ('train', 'validation', 'test', 'golden')),
    primary key (version_id, example_id)
);
create index dataset_examples_example on dataset_examples (example_id);
comment on table dataset_examples is 'One row an example of a version, with the split that it is in.';
comment on column dataset_examples.split is 'golden is never trained on.';

create table dataset_funnel (
    version_id  bigint not null references dataset_versions on delete cascade,
    ordinal     integer not null,
    step        text not null,
    reason      text not null,
    examples    integer not null,
    primary key (version_id, ordinal)
);
comment on table dataset_funnel is 'One row a reason why examples of a version''s source did not come into it, in the order of the steps.';
comment on column dataset_funnel.examples is 'How many fell here; of the first row, how many there were.';

create table dataset_exclusions (
    version_id       bigint not null references dataset_versions on delete cascade,
    conversation_id  bigint not null,
    sha256           bytea,
    step             text not null,
    reason           text not null,
    because_of       bigint
);
create index dataset_exclusions_conversation on dataset_exclusions (conversation_id, version_id);
comment on table dataset_exclusions is 'One row an example that a version left out, or a conversation of which there was none to make.';
comment on column dataset_exclusions.sha256 is 'Of the example''s body; null where none was made.';
comment on column dataset_exclusions.because_of is 'Of conversations: the duplicate that was kept instead.';

create table dataset_exports (
    id           bigint generated always as identity primary key,
    version_id   bigint not null references dataset_versions on delete cascade,
    folder       text not null,
    host         text not null,
    exported_at  timestamptz not null default now(),
    stale_at     timestamptz,
    unique (version_id, host, folder)
);
comment on table dataset_exports is 'One row a folder that a version was written to, so that what is forgotten can be removed there.';
comment on column dataset_exports.host is 'The name of the machine whose folder it is.';
comment on column dataset_exports.stale_at is 'When an example of its files was forgotten; null when none was, or its files were removed since.';
