-- Answers: how a collection's questions are answered, what each answer stood on, and how well the
-- models answer questions whose answers are known.

alter table collections
    add column strategy text not null default 'rag' check (strategy in ('rag', 'long-context', 'none'));
comment on column collections.strategy is 'What a question is answered from: rag: passages that search finds; long-context: all of the collection, where it fits the model''s window; none: the model alone.';

create table answers (
    conversation_id    bigint not null references conversations on delete cascade,
    ordinal            integer not null,
    collection         text not null,
    strategy           text not null,
    chat_model_id      bigint references chat_models on delete set null,
    outcome            text not null check (outcome in ('answered', 'nothing found', 'no model', 'failed')),
    cited_ids          bigint[] not null default '{}',
    removed_citations  integer not null default 0,
    context_tokens     integer,
    retrieval_ms       integer,
    generation_ms      integer,
    primary key (conversation_id, ordinal)
);
comment on table answers is 'One row an answer that Openbook gave itself: the message of that ordinal, whose chunk_ids were shown to the model.';
comment on column answers.strategy is 'What it was answered from: rag, long-context or none.';
comment on column answers.chat_model_id is 'Null for a model that is only configured.';
comment on column answers.outcome is 'nothing found: retrieval found nothing good enough, and the model was not asked; no model: the passages themselves were shown.';
comment on column answers.cited_ids is 'Of chunks: what it cites, and was shown.';
comment on column answers.removed_citations is 'Citations of something that was not shown to it: removed from the answer.';
comment on column answers.context_tokens is 'Tokens of the prompt''s passages, as counted here.';

alter table golden_sets
    add column purpose text not null default 'task' check (purpose in ('task', 'general', 'safety'));
comment on column golden_sets.purpose is 'task: what the model is trained for; general: what it could do before and must not forget; safety: what it must refuse or must not say.';

alter table golden_questions
    add column expected_answer text,
    add column checks jsonb not null default '[]' check (jsonb_typeof(checks) = 'array'),
    add column tags text[] not null default '{}',
    add column conversation_id bigint,
    add column added_at timestamptz not null default now();
comment on column golden_questions.expected_answer is 'What a good answer says; null where only its checks or sources are known.';
comment on column golden_questions.checks is 'What an answer must do: [{"kind": "exact" | "regex" | "json_schema" | "contains" | "must_cite" | "must_refuse", "value": …}].';
comment on column golden_questions.conversation_id is 'The logged conversation that it was taken from.';

create table answer_evaluations (
    id             bigint generated always as identity primary key,
    golden_set_id  bigint references golden_sets on delete set null,
    name           text not null,
    purpose        text not null,
    chat_model_id  bigint references chat_models on delete cascade,
    model          text not null,
    collection     text not null,
    strategy       text not null,
    judge          text,
    settings       jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    questions      integer not null,
    started_at     timestamptz not null default now(),
    finished_at    timestamptz
);
create index answer_evaluations_model on answer_evaluations (chat_model_id);
comment on table answer_evaluations is 'One row an examination of a model: a golden set''s questions, answered and scored.';
comment on column answer_evaluations.golden_set_id is 'Null: a dataset version''s held-out split, which name says.';
comment on column answer_evaluations.purpose is 'As golden_sets.purpose; perplexity for a held-out split.';
comment on column answer_evaluations.chat_model_id is 'Null for a model that is only configured.';
comment on column answer_evaluations.model is 'Its name and version, or the configured name.';
comment on column answer_evaluations.strategy is 'rag, long-context, none, or oracle: the expected sources themselves.';
comment on column answer_evaluations.judge is 'The model that judged; null: none.';
comment on column answer_evaluations.finished_at is 'Null: under way, or its process died; the next one goes on from its results.';

create table answer_results (
    answer_evaluation_id  bigint not null references answer_evaluations on delete cascade,
    item                  text not null,
    golden_question_id    bigint references golden_questions on delete set null,
    answer                text,
    chunk_ids             bigint[] not null default '{}',
    cited_ids             bigint[] not null default '{}',
    input_tokens          integer,
    output_tokens         integer,
    retrieval_ms          integer,
    generation_ms         integer,
    reason                text,
    primary key (answer_evaluation_id, item)
);
comment on table answer_results is 'One row an item of an examination: the answer that was given.';
comment on column answer_results.item is 'The question, or the hash of a held-out example: what two examinations are paired by.';
comment on column answer_results.answer is 'Null where none came (reason), and for a held-out example.';

create table answer_scores (
    answer_evaluation_id  bigint not null,
    item                  text not null,
    measure               text not null,
    value                 double precision not null,
    detail                text,
    primary key (answer_evaluation_id, item, measure),
    foreign key (answer_evaluation_id, item) references answer_results on delete cascade
);
comment on table answer_scores is 'One row an item and measure. A measure that does not apply to an item has no row there.';
comment on column answer_scores.measure is 'correct, token_f1, format, schema, citation_precision, citation_recall, grounded, refusal, retrieval_recall, judge (0 to 1, more is better); nll (mean per token, less is better).';
comment on column answer_scores.detail is 'Which check failed, and how.';
