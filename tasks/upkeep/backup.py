"""The book in one file, and back: what the database holds, and the two secrets kept beside it.

The file is a zip: `database.sql` as pg_dump writes it, `manifest.json`, and of OPENBOOK_HOME
`pseudonym.key` and `tokens.json` where they are. It holds all that was ingested and said, so only
its owner can read it. Not in it are the folders themselves, exported datasets, trained models,
passwords of logins, and settings.
"""

from __future__ import annotations

import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from psycopg import Connection
from psycopg.errors import (
    DuplicateObject,
    InsufficientPrivilege,
    InvalidSchemaName,
    UndefinedTable,
)
from psycopg.rows import dict_row
from psycopg.sql import SQL, Identifier

from tasks.database import connect, dump, load, newest_migration, query, reach, require_all_rows
from tasks.errors import Rejected
from tasks.settings import Settings

_KEPT = ("pseudonym.key", "tokens.json")
_DATABASE, _MANIFEST = "database.sql", "manifest.json"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; `files` are the secrets in it, `logins` have their roles."""

    made_at: str
    server: str
    version: int
    documents: int
    embeddings: int
    conversations: int
    datasets: int
    files: tuple[str, ...]
    logins: dict[str, list[str]]
    format: int = _FORMAT


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored; secrets of before that gave way, and logins that could not be made."""

    manifest: Manifest
    set_aside: tuple[str, ...] = field(default=())
    logins_missing: tuple[str, ...] = field(default=())


def back_up(settings: Settings, file: Path) -> Manifest:
    """Write the book as it is at one moment; the file appears when it is whole.

    Raises Rejected when the file exists, Fatal when the user does not see every row.
    """
    if file.exists():
        raise Rejected(f"{file} exists", "Name another file, or remove that one.")
    with closing(connect(settings)) as connection:
        kept = {name: settings.home / name for name in _KEPT}
        files = tuple(name for name, path in kept.items() if path.exists())
        require_all_rows(connection)
        manifest = _describe(connection, files)
        with _written_aside(file) as archive:
            for name in files:
                archive.write(kept[name], name)
            with archive.open(_DATABASE, "w", force_zip64=True) as stream:
                dump(settings, connection, stream)
            archive.writestr(_MANIFEST, json.dumps(asdict(manifest), indent=2))
    return manifest


def read_manifest(file: Path) -> Manifest:
    """What the backup says of itself, once every byte of it was found as it was written.

    Raises Rejected for a file that is not a whole backup, or one of a newer Openbook.
    """
    with _opened(file) as archive:
        if archive.testzip() is not None:
            raise _not_whole(file)
        try:
            given = json.loads(archive.read(_MANIFEST))
            if given["format"] != _FORMAT or given["version"] > newest_migration():
                raise Rejected(f"{file} was made by a newer Openbook", "Upgrade Openbook.")
            return Manifest(**{**given, "files": tuple(given["files"])})
        except (KeyError, TypeError, ValueError) as error:
            raise _not_whole(file) from error


def restore(settings: Settings, file: Path, *, force: bool = False) -> Restored:
    """Put the backup in the place of an empty book, or with `force` of any.

    The database changes in one transaction, and is migrated; what is restored then is searched and
    goes on without anything embedded again. Raises Rejected, with nothing changed, for a file that
    is not a whole backup and for a book that is not empty.
    """
    manifest = read_manifest(file)
    if not force and _occupied(settings):
        raise Rejected(
            "the database holds a book already",
            "Set OPENBOOK_HOME or OPENBOOK_DATABASE_URL to another, or give --force to replace it.",
        )
    with _opened(file) as archive:
        with archive.open(_DATABASE) as text:
            load(settings, text)
        aside = [_place(settings.home / name, archive.read(name)) for name in manifest.files]
    with closing(connect(settings, autocommit=True)) as connection:
        connection.execute("analyze")
        missing = [
            login
            for login, roles in manifest.logins.items()
            if not _admit(connection, login, roles)
        ]
    return Restored(manifest, tuple(str(path) for path in aside if path), tuple(missing))


def _describe(connection: Connection, files: tuple[str, ...]) -> Manifest:
    logins = {str(name): roles for name, roles in connection.execute(query("backup_logins"))}
    with connection.cursor(row_factory=dict_row) as cursor:
        counts = cursor.execute(query("backup_counts")).fetchone()
    assert counts is not None
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest(made_at=made_at, files=files, logins=logins, **counts)


def _occupied(settings: Settings) -> bool:
    with closing(reach(settings, "openbook restore")) as connection:
        try:
            row = connection.execute(query("backup_occupied")).fetchone()
        except (UndefinedTable, InvalidSchemaName):
            return False
    return row is not None and bool(row[0])


@contextmanager
def _written_aside(file: Path) -> Iterator[zipfile.ZipFile]:
    """A zip that only its owner can read, under its name once it is whole and on the disk."""
    aside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            with zipfile.ZipFile(
                stream, "w", zipfile.ZIP_DEFLATED, allowZip64=True, compresslevel=1
            ) as archive:
                yield archive
            stream.flush()
            os.fsync(stream.fileno())
        aside.rename(file)
    except OSError as error:
        raise Rejected(f"{file} cannot be written: {error.strerror}", "Name another.") from error
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(file)
    except OSError as error:
        raise Rejected(f"{file} cannot be read: {error.strerror}", "Name a backup.") from error
    except (zipfile.BadZipFile, ValueError) as error:
        raise _not_whole(file) from error
    with archive:
        try:
            yield archive
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise _not_whole(file) from error


def _not_whole(file: Path) -> Rejected:
    return Rejected(f"{file} is not a whole backup", "Take another one; nothing was changed.")


def _place(path: Path, content: bytes) -> Path | None:
    """Write a secret; a different one that was there is kept beside it, and its path returned."""
    aside = None
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return None
        aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.before")
        path.rename(aside)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    return aside


def _admit(connection: Connection, login: str, roles: list[str]) -> bool:
    """Make the login where it is missing, without a password, and a member of its roles."""
    try:
        known = connection.execute("select from pg_roles where rolname = %s", [login]).fetchone()
        if known is None:
            # Of two restores at the same time on one server, the other may make it first.
            with suppress(DuplicateObject), connection.transaction():
                connection.execute(SQL("create role {} login").format(Identifier(login)))
        for role in roles:
            connection.execute(SQL("grant {} to {}").format(Identifier(role), Identifier(login)))
    except InsufficientPrivilege:
        return False
    return True
