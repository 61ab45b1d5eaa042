-- What the registry and the retrain cycle still need: one model a training, and where a cycle stands.

create unique index chat_models_training_run on chat_models (training_run_id)
    where training_run_id is not null;
create index chat_models_dataset_version on chat_models (dataset_version_id);
create index promotions_task on promotions (task, id);

create table retrain_cycles (
    id                  bigint generated always as identity primary key,
    task                text not null,
    dataset             text not null,
    spec_path           text not null,
    backend             text not null,
    base                text not null,
    settings            jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    step                text not null default 'curate' check (
        step in ('curate', 'train', 'register', 'evaluate', 'judge', 'approve', 'promote', 'done')),
    outcome             text check (
        outcome in ('promoted', 'kept', 'unchanged', 'refused', 'failed')),
    reasons             jsonb not null default '[]' check (jsonb_typeof(reasons) = 'array'),
    dataset_version_id  bigint references dataset_versions on delete set null,
    training_run_id     bigint references training_runs on delete set null,
    candidate_id        bigint references chat_models on delete set null,
    decision_id         bigint references gate_decisions on delete set null,
    attempts            integer not null default 0,
    started_at          timestamptz not null default now(),
    changed_at          timestamptz not null default now(),
    finished_at         timestamptz,
    check ((step = 'done') = (outcome is not null))
);
create unique index retrain_cycles_open on retrain_cycles (task) where step <> 'done';
comment on table retrain_cycles is 'One row an attempt to replace the serving model: the step that it has reached, and what each step made.';
comment on column retrain_cycles.dataset is 'The name in the spec.';
comment on column retrain_cycles.spec_path is 'The spec''s file, as it was named.';
comment on column retrain_cycles.backend is 'local or openai.';
comment on column retrain_cycles.base is 'The model that training starts from.';
comment on column retrain_cycles.settings is 'What was asked for beside: method, most dollars, whether a person approves.';
comment on column retrain_cycles.step is 'The step that is next, or under way. It moves in the transaction that stores what the one before it made.';
comment on column retrain_cycles.outcome is 'promoted; kept: the gate kept the serving model; unchanged: the newest version was trained on before; refused: not due, too dear, or a person said no; failed.';
comment on column retrain_cycles.reasons is 'Sentences, the latest last.';
comment on column retrain_cycles.attempts is 'How often the present step failed in a row.';
comment on column retrain_cycles.changed_at is 'When it reached its step.';
