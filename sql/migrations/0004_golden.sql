-- How well search answers: golden sets of questions, and the results of evaluations over time.

create table golden_sets (
    id             bigint generated always as identity primary key,
    name           text not null unique,
    collection_id  bigint not null references collections,
    created_at     timestamptz not null default now()
);
comment on table golden_sets is 'One row a set of questions that are asked again and again of one collection.';

create table golden_questions (
    id             bigint generated always as identity primary key,
    golden_set_id  bigint not null references golden_sets on delete cascade,
    question       text not null,
    unique (golden_set_id, question)
);
comment on table golden_questions is 'One row a question of a golden set.';

create table golden_judgements (
    golden_question_id  bigint not null references golden_questions on delete cascade,
    path                text not null,
    grade               integer not null default 1 check (grade >= 0),
    primary key (golden_question_id, path)
);
comment on table golden_judgements is 'One row a question and a document that was judged for it.';
comment on column golden_judgements.path is 'The document, as documents.path names it; one that is not there counts as not found.';
comment on column golden_judgements.grade is '0: does not answer the question; 1 and more: answers it, the better the higher.';

create table evaluations (
    id             bigint generated always as identity primary key,
    name           text not null,
    golden_set_id  bigint references golden_sets on delete set null,
    collection     text not null,
    model          text,
    reranker       text not null,
    questions      integer not null,
    evaluated_at   timestamptz not null default now()
);
comment on table evaluations is 'One row an evaluation: the questions of a golden set or of a test collection, asked in every mode.';
comment on column evaluations.name is 'Of the golden set, or of the test collection''s folder.';
comment on column evaluations.golden_set_id is 'Null for a test collection.';

create table evaluation_figures (
    evaluation_id  bigint not null references evaluations on delete cascade,
    mode           text not null,
    measure        text not null,
    value          double precision not null,
    low            double precision,
    high           double precision,
    primary key (evaluation_id, mode, measure)
);
comment on table evaluation_figures is 'One row an evaluation, mode and measure.';
comment on column evaluation_figures.measure is 'ndcg@10, recall@10, recall@100, mrr, success@1 (0 to 1), p50_ms and p95_ms.';
comment on column evaluation_figures.low is 'The lower end of the 95 % interval; null for latencies.';

comment on column sources.root is 'The folder''s absolute path on the machine that ingests it; given:NAME where a program gives the documents and there is no folder.';
