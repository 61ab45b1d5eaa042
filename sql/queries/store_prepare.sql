-- What a batch of files said, before it is known what of it is new.
create temp table read_contents (
    reading   integer not null,
    sha256    bytea not null,
    format    text not null,
    recipe    text not null,
    title     text,
    text      text not null,
    metadata  jsonb not null,
    chunks    integer not null
) on commit drop;

create temp table read_chunks (
    reading     integer not null,
    ordinal     integer not null,
    sha256      bytea not null,
    title       text,
    section     text,
    context     text,
    body        text not null,
    tokens      integer not null,
    first_page  integer,
    last_page   integer,
    starts_at   integer not null,
    ends_at     integer not null
) on commit drop;
