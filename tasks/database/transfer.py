"""Openbook's two schemas as SQL text, out of a database and into one, by pg_dump and psql."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from psycopg import Connection

from tasks.database.connection import for_programs, reach
from tasks.database.migrate import LOCK, migrate
from tasks.database.queries import query
from tasks.database.server import bin_path
from tasks.errors import Fatal, Rejected, Retryable
from tasks.settings import Settings

_BLOCK = 1024 * 1024
_LOCK_WAIT = "30s"
_LEAST_TO_LOAD = 17
_LOST = "dropped with the book: "
"""How sql/queries/restore_drop.sql begins what it fails with."""


def dump(settings: Settings, connection: Connection, to: IO[bytes]) -> None:
    """Write all that the two schemas hold at one moment, as SQL; searches and runs go on.

    Owners, grants and policies are not in it: `sql/roles.sql` makes them. Raises Fatal for a user
    from whom rows are hidden, or when pg_dump fails.
    """
    bypasses = require_all_rows(connection)
    command: list[str | Path] = [_program("pg_dump", connection.info.server_version)]
    command += ["--schema=openbook", "--schema=analytics", "--encoding=UTF8"]
    command += ["--no-owner", "--no-privileges", "--no-policies", "--no-sync"]
    if not bypasses:
        command.append("--enable-row-security")  # the owner's policy lets every row pass
    with _running(settings, command) as (process, errors):
        assert process.stdout is not None
        shutil.copyfileobj(process.stdout, to, _BLOCK)
        _finish(process, errors)


def require_all_rows(connection: Connection) -> bool:
    """Whether row-level security is nothing to the user; Fatal where it may hide rows from him."""
    row = connection.execute(query("dump_rights")).fetchone()
    if row is None or not row[1]:
        raise Fatal(
            f"rows may be hidden from the user {connection.info.user!r}",
            "Back up as the user that owns the schema, or as a superuser.",
        )
    return bool(row[0])


def load(settings: Settings, text: IO[bytes]) -> None:
    """Put what `dump` wrote in the place of what the two schemas hold, in one transaction; migrate.

    Readers wait meanwhile, and see all of the old or all of the new. Raises, with nothing changed,
    Rejected where others' views, keys or the like use what gives way, naming them, Fatal, and what
    reading the text raises; Retryable when others keep the tables locked.
    """
    with reach(settings, "openbook restore") as connection:
        version = connection.info.server_version
    if version < _LEAST_TO_LOAD * 10_000:
        raise Fatal(
            f"the database's server is PostgreSQL {version // 10_000}",
            f"What pg_dump writes today is read by PostgreSQL {_LEAST_TO_LOAD} or newer.",
        )
    before = (
        f"set lock_timeout = '{_LOCK_WAIT}'; select pg_advisory_xact_lock({LOCK});\n"
        "create extension if not exists vector;\n" + query("restore_drop").as_string()
    )
    # Definitions and rights are applied again by the migration that follows.
    after = "\ndelete from openbook.schema_definitions;\n"
    command: list[str | Path] = [_program("psql", version), "--no-psqlrc", "--quiet"]
    command += ["--single-transaction", "--set=ON_ERROR_STOP=1", "--output=/dev/null", "--file=-"]
    with _running(settings, command) as (process, errors):
        assert process.stdin is not None
        try:
            process.stdin.write(before.encode())
            shutil.copyfileobj(text, process.stdin, _BLOCK)
            process.stdin.write(after.encode())
        except BrokenPipeError:
            pass  # psql says why
        except BaseException:
            process.kill()  # at the end of its input it would commit
            raise
        _finish(process, errors)
    migrate(settings)


def _program(name: str, server_version: int) -> Path:
    """The embedded package's program, or one on PATH where the server is newer than that."""
    own = bin_path(name)
    said = subprocess.run([own, "--version"], capture_output=True, text=True, check=True).stdout
    major = re.search(r"\d+", said)
    if major is not None and int(major[0]) >= server_version // 10_000:
        return own
    found = shutil.which(name)
    if found is None:
        raise Fatal(
            f"the server is PostgreSQL {server_version // 10_000}, newer than our {name}",
            f"Install its {name} and put it on PATH.",
        )
    return Path(found)


@contextmanager
def _running(
    settings: Settings, command: Sequence[str | Path]
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes]]]:
    """The program at work on the settings' database; killed if it is left before its end."""
    address, password = for_programs(settings)
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            [*command, f"--dbname={address}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, **password},
        ) as process,
    ):
        try:
            yield process, errors
        finally:
            process.kill()


def _finish(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.close()
    if process.wait() == 0:
        return
    errors.seek(0)
    told = errors.read().decode(errors="replace")
    if lost := re.search(f"{_LOST}(.*)", told):
        raise Rejected(
            f"{lost[1]} uses what is to be replaced",
            "Drop it, restore, and make it again. Nothing was changed.",
        )
    said = " ".join(told.split())[-500:]
    message = f"{Path(str(process.args[0])).name} failed: {said}"  # type: ignore[index]
    if "lock timeout" in said:
        raise Retryable(message, "Stop what works on the database, then try again.")
    raise Fatal(message, "Nothing was changed.")
