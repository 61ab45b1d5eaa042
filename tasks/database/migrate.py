"""Bring a database to the schema that `sql/` describes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from tasks.database import schema
from tasks.database.connection import reach
from tasks.database.define import define, execute
from tasks.database.pooler import require_own_session
from tasks.database.queries import SQL_FOLDER, query
from tasks.database.schema import SqlFile
from tasks.settings import Settings

LOCK = 0x6F70656E626F6F6B  # "openbook"
"""The advisory lock of whoever changes the schema."""


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What a migration did.

    `applied` are the names of the migrations that it ran, `definitions` says whether it applied
    functions, views and rights anew, and `version` is the number of the database's last migration.
    """

    applied: tuple[str, ...]
    definitions: bool
    version: int


def migrate(settings: Settings, folder: Path = SQL_FOLDER) -> MigrationReport:
    """Apply the migrations that the database lacks, then functions, views and rights if need be.

    Each migration is one transaction together with its record. Any number of processes may call
    this at once: one works, the others wait for it and find nothing left to do. Raises Fatal for an
    unsupported or newer database, for an edited migration, and for a file that fails.
    """
    with closing(_reach(settings)) as connection:
        require_own_session(connection)
        connection.execute("set statement_timeout = 0")
        connection.execute("set lock_timeout = 0")
        connection.execute("select pg_advisory_lock(%s)", [LOCK])
        execute(connection, SqlFile("schema.sql", (folder / "schema.sql").read_text("utf-8")))
        pending = schema.pending(connection, folder)
        applied = [file for file in pending if file.name.startswith("migrations/")]
        for file in applied:
            with connection.transaction():
                execute(connection, file)
                connection.execute(
                    query("record_migration"),
                    {"version": file.version, "name": file.name, "sha256": file.sha256},
                )
        if pending:
            define(connection, schema.definitions(folder))
        last = schema.newest_migration(folder)
        return MigrationReport(tuple(file.name for file in applied), bool(pending), last)


def check(settings: Settings, folder: Path = SQL_FOLDER) -> list[str]:
    """The names of the files that `migrate` would apply; changes nothing."""
    with closing(_reach(settings)) as connection:
        return [file.name for file in schema.pending(connection, folder)]


def _reach(settings: Settings) -> Connection:
    connection = reach(settings, "openbook migrate")
    try:
        schema.require_supported(connection)
    except BaseException:
        connection.close()
        raise
    return connection
