"""What this code asks of a database: its server, its rights, and the schema in `sql/`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege, InvalidSchemaName, UndefinedTable
from psycopg.rows import class_row

from tasks.database.queries import SQL_FOLDER, query
from tasks.errors import Fatal

LEAST_SERVER = 15
"""PostgreSQL's major version."""
LEAST_PGVECTOR = (0, 8, 4)
RIGHTS = "roles.sql"


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One file of `sql/`; `name` is its path in there."""

    name: str
    text: str

    @property
    def sha256(self) -> bytes:
        """Of the file's text."""
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def version(self) -> int:
        """A migration's number."""
        return int(Path(self.name).name[:4])


def migrations(folder: Path = SQL_FOLDER) -> list[SqlFile]:
    """The migrations in order of their numbers, which may have gaps; raises Fatal for other names.

    Changes that grow side by side take their numbers early, and may arrive in another order.
    """
    files = _read(folder, "migrations/*.sql")
    for before, file in zip([None, *files], files, strict=False):
        if not re.fullmatch(r"migrations/(?!0000)\d{4}_[a-z0-9_]+\.sql", file.name):
            raise Fatal(
                f"sql/{file.name} is not named as a migration", "Name it NNNN_<what_it_does>.sql."
            )
        if before and before.version == file.version:
            raise Fatal(
                f"sql/{before.name} and sql/{file.name} have one number",
                "Name one of them NNNN_<what_it_does>.sql, with the next number.",
            )
    return files


def newest_migration(folder: Path = SQL_FOLDER) -> int:
    """The number of the last migration that this code has."""
    return max((file.version for file in migrations(folder)), default=0)


def definitions(folder: Path = SQL_FOLDER) -> list[SqlFile]:
    """What is applied anew after every change: functions, then views, then rights."""
    return [
        file
        for pattern in ("functions/*.sql", "views/*.sql", RIGHTS)
        for file in _read(folder, pattern)
    ]


def fingerprint(files: Iterable[SqlFile]) -> bytes:
    """The sha256 of the files' names and texts together."""
    return hashlib.sha256(
        b"".join(hashlib.sha256(f.name.encode()).digest() + f.sha256 for f in files)
    ).digest()


@dataclass(frozen=True, slots=True)
class _Facts:
    server_version: int
    encoding: str
    pgvector: str | None
    pgvector_schema: str | None
    usable: bool | None


def require_supported(connection: Connection) -> None:
    """Set the connection's search path; raise Fatal for a database that cannot hold Openbook."""
    with connection.cursor(row_factory=class_row(_Facts)) as cursor:
        facts = cursor.execute(query("database_facts")).fetchone()
    assert facts is not None
    if facts.server_version < LEAST_SERVER:
        raise Fatal(
            f"the database's server is PostgreSQL {facts.server_version}",
            f"Openbook needs PostgreSQL {LEAST_SERVER} or newer.",
        )
    if facts.encoding != "UTF8":
        raise Fatal(
            f"the database's encoding is {facts.encoding}",
            "Create another with `create database … encoding 'UTF8' template template0`.",
        )
    least = ".".join(map(str, LEAST_PGVECTOR))
    if facts.pgvector is None:
        raise Fatal(
            "the database's server has no pgvector", f"Install pgvector {least} or newer on it."
        )
    if tuple(map(int, re.findall(r"\d+", facts.pgvector))) < LEAST_PGVECTOR:
        raise Fatal(
            f"the database has pgvector {facts.pgvector}, whose indexes can lose rows",
            f"Install pgvector {least} or newer, then run `alter extension vector update`.",
        )
    if facts.pgvector_schema not in (None, "public"):
        raise Fatal(
            f"the database has pgvector in the schema {facts.pgvector_schema}",
            "Run `alter extension vector set schema public`.",
        )
    if facts.usable is False:
        raise _no_rights(connection)


def pending(connection: Connection, folder: Path = SQL_FOLDER) -> list[SqlFile]:
    """The migrations that the database lacks, then the definitions if one of them has changed.

    Raises Fatal when the database is newer than this code, or a migration that it has was edited.
    """
    try:
        rows = connection.execute(query("applied_migrations")).fetchall()
    except (UndefinedTable, InvalidSchemaName):
        rows = []
    except InsufficientPrivilege:
        raise _no_rights(connection) from None
    known = {file.version: file for file in migrations(folder)}
    for version, name, sha256, _ in rows:
        if version not in known:
            raise Fatal(f"the database has {name}, which this Openbook lacks", "Upgrade Openbook.")
        if sha256 != known[version].sha256:
            raise Fatal(
                f"sql/{known[version].name} is not what was applied to the database as {name}",
                "Restore that file, and put the change into a new migration.",
            )
    defined = definitions(folder)
    applied = {version for version, *_ in rows}
    missing = [file for version, file in known.items() if version not in applied]
    current = rows[0][3] if rows else None
    return missing + defined if missing or current != fingerprint(defined) else []


def _no_rights(connection: Connection) -> Fatal:
    return Fatal(
        f"the user {connection.info.user!r} may not use the database's schema openbook",
        "Grant it one of the roles openbook_ingest, openbook_search and openbook_analyst.",
    )


def _read(folder: Path, pattern: str) -> list[SqlFile]:
    files = sorted(folder.glob(pattern))
    return [SqlFile(str(f.relative_to(folder)), f.read_text(encoding="utf-8")) for f in files]
