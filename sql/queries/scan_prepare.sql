-- What one scan sees: every path of the walk, and the hash of each file that moved since the last.
create temp table walk (
    path        text not null,
    size_bytes  bigint,
    mtime_ns    bigint,
    ctime_ns    bigint,
    inode       numeric,
    problem     text,
    remedy      text,
    is_folder   boolean not null,
    readers     text[]
) on commit drop;

create temp table hashed (
    path        text not null,
    sha256      bytea,
    size_bytes  bigint,
    mtime_ns    bigint,
    ctime_ns    bigint,
    inode       numeric,
    problem     text,
    remedy      text
) on commit drop;
