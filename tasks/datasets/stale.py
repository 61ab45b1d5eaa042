"""Where versions were exported to: files that hold what was forgotten since, here and elsewhere."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from psycopg import Connection

from tasks.database import query
from tasks.settings import Settings

MANIFEST = "manifest.json"
_FILE = "installation.id"


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A folder of another installation whose files hold what was forgotten since."""

    id: int
    host: str
    folder: str


def register(connection: Connection, settings: Settings, version_id: int, folder: Path) -> None:
    """Note that a version is written to a folder of this installation."""
    values = {"version": version_id, "folder": str(folder), **_here(settings)}
    connection.execute(query("export_register"), values)


def remove_stale(connection: Connection, settings: Settings) -> tuple[list[str], list[Elsewhere]]:
    """Remove this installation's files that hold what was forgotten since.

    Gives their folders, and those of other installations, which it cannot reach. What remains of a
    version can be exported anew.
    """
    stale = connection.execute(query("export_stale"), _here(settings)).fetchall()
    if any(here for *_, here in stale):
        # Exports hold this lock shared: none is writing where files are removed.
        connection.execute("select pg_advisory_xact_lock(hashtext('openbook.datasets'))")
        stale = connection.execute(query("export_stale"), _here(settings)).fetchall()
    removed = []
    for export_id, folder, _, here in stale:
        if here:
            for name in file_names():
                (Path(folder) / name).unlink(missing_ok=True)
            connection.execute("delete from openbook.dataset_exports where id = %s", [export_id])
            removed.append(folder)
    left = [Elsewhere(number, host, folder) for number, folder, host, here in stale if not here]
    return removed, left


def file_names() -> Iterator[str]:
    """The names that files of an export can have."""
    yield MANIFEST  # the first to go: without it the folder is no export
    for split in ("train", "validation", "test", "golden"):
        for ending in ("jsonl", "parquet"):
            yield f"{split}.{ending}"
            yield f".{split}.{ending}.partial"


def _here(settings: Settings) -> dict[str, str]:
    """This machine's name, and what stays the same when it changes, as a container's does."""
    return {"host": socket.gethostname(), "installation": _installation(settings.home / _FILE)}


def _installation(file: Path) -> str:
    with suppress(FileNotFoundError):
        return file.read_text(encoding="ascii")
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f"{_FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    fresh.write_text(secrets.token_hex(16), encoding="ascii")
    with suppress(FileExistsError):
        os.link(fresh, file)  # the first of several processes wins
    fresh.unlink()
    return file.read_text(encoding="ascii")
