-- The two schemas, and the record of what was applied to them; run before the first migration.

do $$
begin
    -- `create schema if not exists` would ask for a right on the database even where both exist.
    if to_regnamespace('openbook') is null then
        create schema openbook;
    end if;
    if to_regnamespace('analytics') is null then
        create schema analytics;
    end if;
end
$$;
comment on schema openbook is 'What Openbook keeps: documents, chunks, embeddings, and the functions that search them.';
comment on schema analytics is 'What analysts read; every view says what one of its rows is.';

create table if not exists openbook.schema_migrations (
    version     integer primary key check (version > 0),
    name        text not null,
    sha256      bytea not null,
    applied_at  timestamptz not null default now()
);
comment on table openbook.schema_migrations is 'One row an applied file of sql/migrations.';
comment on column openbook.schema_migrations.sha256 is 'Of the file''s text when it was applied; an edited file is refused.';

create table if not exists openbook.schema_definitions (
    singleton   boolean primary key default true check (singleton),
    sha256      bytea not null,
    applied_at  timestamptz not null default now()
);
comment on table openbook.schema_definitions is 'One row: which functions, views and roles of sql/ were applied last.';
comment on column openbook.schema_definitions.sha256 is 'Of the names and texts of all their files.';

create table if not exists openbook.definitions (
    type      text not null,
    identity  text not null,
    name      text not null,
    primary key (type, identity)
);
comment on table openbook.definitions is 'One row a function, view or trigger that the files of sql/ defined here: what they define no more is dropped by this list, so that nothing which users made is.';
comment on column openbook.definitions.type is 'As in `drop …`: function, view, trigger.';
comment on column openbook.definitions.identity is 'As pg_identify_object writes it: a function with the types of its parameters.';
comment on column openbook.definitions.name is 'With its schema and without parameters.';
