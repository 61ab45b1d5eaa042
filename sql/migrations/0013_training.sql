-- The models that answer: how they were trained, which one serves, and how that was decided.
--
-- A training run is an intent before it is a job: its row and its files' rows are committed before
-- anything is sent, so that nothing is uploaded or paid twice whatever dies. A promotion is one row;
-- which model serves follows from it.

create table training_runs (
    id                  bigint generated always as identity primary key,
    run_key             text not null unique,
    backend             text not null check (backend in ('local', 'openai')),
    method              text not null check (method in ('sft', 'dpo')),
    dataset_version_id  bigint references dataset_versions on delete set null,
    dataset_sha256      bytea not null,
    base                text not null,
    settings            jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    state               text not null default 'planned' check (
        state in ('planned', 'submitting', 'running', 'succeeded', 'failed', 'cancelled')),
    job_id              text,
    usd                 numeric,
    metrics             jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
    reason              text,
    remedy              text,
    started_at          timestamptz not null default now(),
    changed_at          timestamptz not null default now(),
    finished_at         timestamptz
);
comment on table training_runs is 'One row a training of a model on a version of a dataset, from before anything is sent.';
comment on column training_runs.run_key is 'What tells this training from every other: of the dataset''s content, base, method and settings, and of how often it was asked for. Sent to the provider, so that a job whose answer was lost is found again.';
comment on column training_runs.backend is 'local: LoRA on a machine of one''s own; openai: the fine-tuning API, wherever it is.';
comment on column training_runs.method is 'sft: from examples; dpo: from preferred and rejected answers.';
comment on column training_runs.dataset_version_id is 'Null once the version is deleted.';
comment on column training_runs.dataset_sha256 is 'The version''s content_sha256.';
comment on column training_runs.base is 'The model that it started from: a folder, a hub''s name or a provider''s id.';
comment on column training_runs.state is 'planned; submitting: sent, perhaps, the answer is not known; running; succeeded, failed or cancelled.';
comment on column training_runs.job_id is 'Its name at the backend.';
comment on column training_runs.usd is 'Its price as computed before it was sent, or as the provider billed it; null: not known.';
comment on column training_runs.metrics is 'Loss by step, tokens, seconds, what the backend says.';
comment on column training_runs.reason is 'Why it failed.';

create table training_files (
    training_run_id  bigint not null references training_runs on delete cascade,
    split            text not null check (split in ('train', 'validation')),
    sha256           bytea not null,
    file_id          text,
    uploaded_at      timestamptz,
    primary key (training_run_id, split)
);
comment on table training_files is 'One row a file that a training sends to its provider, from before it is sent.';
comment on column training_files.file_id is 'Its id at the provider; null: not sent, or the answer was lost.';

create table training_events (
    training_run_id  bigint not null references training_runs on delete cascade,
    ordinal          integer not null,
    happened_at      timestamptz not null default now(),
    message          text not null,
    data             jsonb,
    primary key (training_run_id, ordinal)
);
comment on table training_events is 'One row a thing that happened in a training, as its backend told it.';

create table chat_models (
    id                  bigint generated always as identity primary key,
    task                text not null default 'answer',
    name                text not null,
    version             integer not null,
    training_run_id     bigint references training_runs on delete set null,
    dataset_version_id  bigint references dataset_versions on delete set null,
    base                text not null,
    base_sha256         bytea,
    endpoint_url        text,
    endpoint_model      text,
    artifact            text,
    artifact_sha256     bytea,
    host                text,
    settings            jsonb not null default '{}' check (jsonb_typeof(settings) = 'object'),
    stage               text not null default 'candidate' check (
        stage in ('candidate', 'serving', 'retired', 'tainted')),
    tainted_at          timestamptz,
    retires_on          date,
    registered_at       timestamptz not null default now(),
    unique (task, name, version)
);
create unique index chat_models_serving on chat_models (task) where stage = 'serving';
comment on table chat_models is 'One row a version of a model that answers. Of each task one serves.';
comment on column chat_models.task is 'What it is for; models of one task compete.';
comment on column chat_models.version is 'From 1, within the name.';
comment on column chat_models.training_run_id is 'Null for a model that was not trained here.';
comment on column chat_models.dataset_version_id is 'What it was trained on.';
comment on column chat_models.endpoint_url is 'The base URL that it is served under; null: OPENBOOK_ANSWER_URL.';
comment on column chat_models.endpoint_model is 'The name that its server knows it by; null: it is not served yet.';
comment on column chat_models.artifact is 'The folder of a local adapter.';
comment on column chat_models.artifact_sha256 is 'Of the adapter''s manifest, which holds the sha256 of every file; checked whenever it is loaded.';
comment on column chat_models.host is 'The machine that has the folder.';
comment on column chat_models.stage is 'candidate: not chosen yet; serving; retired: served before, or was refused; tainted: trained on what was forgotten since.';
comment on column chat_models.tainted_at is 'When something that it was trained on was first forgotten; also while it still serves.';
comment on column chat_models.retires_on is 'When its provider shuts it down; null: not known.';

create table gate_decisions (
    id                       bigint generated always as identity primary key,
    task                     text not null,
    candidate_id             bigint not null references chat_models on delete cascade,
    serving_id               bigint references chat_models on delete set null,
    outcome                  text not null check (
        outcome in ('better', 'not worse', 'inconclusive', 'worse')),
    promoted                 boolean not null default false,
    margin                   double precision not null,
    confidence               double precision not null,
    difference               double precision,
    low                      double precision,
    high                     double precision,
    items                    integer not null,
    minimum_detectable       double precision,
    reasons                  jsonb not null default '[]' check (jsonb_typeof(reasons) = 'array'),
    figures                  jsonb not null default '{}' check (jsonb_typeof(figures) = 'object'),
    approved_by              text,
    decided_at               timestamptz not null default now()
);
create index gate_decisions_candidate on gate_decisions (candidate_id);
comment on table gate_decisions is 'One row a judgement of a candidate against the serving model on the same items.';
comment on column gate_decisions.serving_id is 'Null: nothing served.';
comment on column gate_decisions.margin is 'By how much it had to be better, in the measure''s unit (0 to 1).';
comment on column gate_decisions.difference is 'Candidate less serving, mean over the items.';
comment on column gate_decisions.low is 'The lower end of the difference''s interval.';
comment on column gate_decisions.high is 'The upper end of the difference''s interval.';
comment on column gate_decisions.items is 'How many items both answered.';
comment on column gate_decisions.minimum_detectable is 'The smallest true difference that so many items would show with power .8.';
comment on column gate_decisions.reasons is 'Every condition with what it found: [{"condition", "holds", "says"}].';
comment on column gate_decisions.figures is 'Means of both by measure and set, and the test behind the outcome.';
comment on column gate_decisions.approved_by is 'Who let it pass, where a person was asked.';

create table promotions (
    id           bigint generated always as identity primary key,
    task         text not null,
    model_id     bigint references chat_models on delete set null,
    previous_id  bigint references chat_models on delete set null,
    action       text not null check (action in ('promote', 'rollback')),
    decision_id  bigint references gate_decisions on delete set null,
    reason       text,
    promoted_by  text not null default session_user,
    promoted_at  timestamptz not null default now()
);
comment on table promotions is 'One row a change of the model that serves a task.';
comment on column promotions.model_id is 'What serves since; null once it is deleted.';
comment on column promotions.previous_id is 'What served before; null: nothing.';
comment on column promotions.decision_id is 'The judgement that it rests on; null: by hand.';
