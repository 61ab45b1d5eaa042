"""Sources and the runs that keep the book in step with them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from psycopg import Connection, errors
from psycopg.rows import class_row, dict_row

from tasks.database import query
from tasks.errors import Fatal
from tasks.ingest.scan import Scan

_START_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Source:
    """One watched folder; its documents are searched in one collection, in one language.

    `readers` may read what no sidecar in the folder speaks of.
    """

    id: int
    name: str
    root: str
    collection: str
    language: str
    readers: list[str]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a source, and the embedding model that it buys vectors for."""

    id: int
    source_id: int
    root: str
    model_id: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """One file that could not be used: why, and what its owner can do about it.

    `attempts` counts how often these bytes were tried; `next_try_at` is when they are tried again,
    None for not before they change.
    """

    path: str
    reason: str
    remedy: str | None
    attempts: int = 0
    next_try_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. Files: `seen` = new + changed + unchanged + renamed + pending + rejected.

    `chunks` are those of the documents that the run added or changed, `embedded` the texts sent to
    the embedder and `reused` the difference; `seconds` is wall time.
    """

    run_id: int
    source: str
    outcome: str
    seen: int
    new: int
    changed: int
    unchanged: int
    renamed: int
    deleted: int
    pending: int
    rejected: tuple[Rejection, ...]
    chunks: int
    embedded: int
    reused: int
    tokens: int
    usd: float
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, ready for `json.dumps`."""
        return {**asdict(self), "rejected": [asdict(rejection) for rejection in self.rejected]}


@dataclass(frozen=True, slots=True)
class Published:
    """One document that a run gave readers to see: whether it is new, and its chunks."""

    path: str
    new: bool
    chunks: int


def existing_folder(path: Path) -> Path:
    """The folder's own path, without links. Raises Fatal for one that does not exist."""
    folder = path.expanduser().resolve()
    if not folder.is_dir():
        raise Fatal(f"{folder} is not a folder", "Give the path of an existing folder.")
    return folder


def register_source(
    connection: Connection,
    root: Path,
    collection: str | None = None,
    language: str | None = None,
    readers: Sequence[str] | None = None,
) -> Source:
    """The source of that folder. Readers that are given are set.

    A new one is named after the folder and is, unless they are given, of the collection `default`
    and English. Raises Fatal for a folder that does not exist, lies in another source (or holds
    one), or is of another collection or language, and for an unknown language.
    """
    root = existing_folder(root)
    parameters = {
        "root": str(root),
        "name": root.name or "root",
        "collection": collection,
        "language": language,
        "readers": None if readers is None else list(readers),
    }
    with connection.cursor(row_factory=class_row(Source)) as cursor:
        try:
            cursor.execute(query("source_register"), parameters)
        except (errors.UndefinedObject, errors.SyntaxError):
            raise Fatal(
                f"{language!r} is no language that the database knows",
                "Give one that `openbook sql -c '\\dF'` lists, such as german or simple.",
            ) from None
        source = cursor.execute(query("source_by_root"), parameters).fetchone()
    if source is None or source.root != str(root):
        inside = source.root if source else "another source"
        raise Fatal(
            f"{root} overlaps the source {inside}", "Ingest that one, or move one of the folders."
        )
    for kind, given, kept in (
        ("collection", collection, source.collection),
        ("language", language, source.language),
    ):
        if given not in (None, kept):
            raise Fatal(
                f"{root} was registered with the {kind} {kept}",
                f"Leave out the {kind}, or give {kept!r}.",
            )
    if readers is not None:
        connection.execute(query("source_readers"), parameters)
    return source


def sources(connection: Connection) -> list[Source]:
    """All sources, by name."""
    with connection.cursor(row_factory=class_row(Source)) as cursor:
        return cursor.execute(query("sources")).fetchall()


def start_run(connection: Connection, source_id: int, model_id: int) -> Run:
    """A new run; earlier runs of the source that never ended are marked abandoned."""
    row = connection.execute(
        query("run_start"), {"source": source_id, "model": model_id}
    ).fetchone()
    assert row is not None
    return load_run(connection, row[0])


def load_run(connection: Connection, run_id: int) -> Run:
    """The run of that id."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        run = cursor.execute(query("run"), {"run": run_id}).fetchone()
    assert run is not None
    return run


def count_scan(connection: Connection, run_id: int, scan: Scan) -> None:
    """Write down what the scan found."""
    parameters = {
        "run": run_id,
        "seen": scan.seen,
        "renamed": scan.renamed,
        "deleted": scan.deleted,
    }
    connection.execute(query("run_scanned"), parameters)


def running_since(connection: Connection, source_id: int) -> str:
    """Which run works on the source, in words; the connection must be in autocommit mode.

    Whoever holds the source writes its run down a moment later: that is waited for.
    """
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute(query("run_running"), {"source": source_id}).fetchone()
        if row:
            return f"run {row[0]}, started at {row[1]:%Y-%m-%d %H:%M:%S %Z}"
        time.sleep(0.05)
    return "another run"


def finish_run(connection: Connection, run_id: int, error: str | None = None) -> Report:
    """Close the run as done, or as failed with `error`, and count what it left."""
    connection.execute(query("run_finish"), {"run": run_id, "error": error})
    return report(connection, run_id)


def report(connection: Connection, run_id: int) -> Report:
    """What the run did, with the rejected files as they stand now."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("run_report"), {"run": run_id}).fetchone()
        assert row is not None
        source_id = row.pop("source_id")
    with connection.cursor(row_factory=class_row(Rejection)) as cursor:
        rejected = cursor.execute(query("rejected_files"), {"source": source_id}).fetchall()
    return Report(**row, rejected=tuple(rejected))


def published(connection: Connection, run_id: int, limit: int) -> list[Published]:
    """The documents that the run gave readers to see, the last ones first."""
    with connection.cursor(row_factory=class_row(Published)) as cursor:
        parameters = {"run": run_id, "limit": limit}
        return cursor.execute(query("run_documents"), parameters).fetchall()
