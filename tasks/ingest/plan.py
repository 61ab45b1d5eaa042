"""What a run would do and spend, found out by doing all of it but the buying and publishing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection

from tasks.database import query
from tasks.embedders import Embedder
from tasks.errors import OpenbookError, Rejected
from tasks.ingest.read import Reader, read_files, stage_all, staging
from tasks.ingest.runs import Rejection, Source, register_source
from tasks.ingest.scan import scan
from tasks.ingest.store import Pending, known_contents, pending_documents, pending_ids


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of files: `read` are those whose content is new; `embed` counts texts to be bought.

    `rejected` names the files that a run would newly reject; `usd` is the price at the embedder's
    current rate.
    """

    folder: str
    seen: int
    renamed: int
    deleted: int
    pending: int
    read: int
    rejected: tuple[Rejection, ...]
    chunks: int
    embed: int
    tokens: int
    usd: float

    def as_json(self) -> dict[str, Any]:
        """The plan as plain values, ready for `json.dumps`."""
        return {**asdict(self), "rejected": [asdict(rejection) for rejection in self.rejected]}


def plan(
    connection: Connection,
    folder: Path,
    embedder: Embedder,
    reader: Reader,
    *,
    collection: str | None = None,
    language: str | None = None,
) -> Plan:
    """Plan a run of the folder. The connection's transaction is rolled back: nothing changes.

    A run of the same folder that starts meanwhile waits until the plan is made.
    """
    try:
        source = register_source(connection, folder, collection, language)
        scanned = scan(
            connection,
            source.id,
            Path(source.root),
            recipe=reader.recipe,
            max_bytes=reader.settings.file_megabytes << 20,
            max_delete_share=None,
        )
        tally = _Tally()
        ids = pending_ids(connection, source.id)
        size = reader.settings.batch_files
        for start in range(0, len(ids), size):
            batch = pending_documents(connection, ids[start : start + size])
            _plan_batch(connection, source, batch, reader, tally)
        missing = _missing(connection, embedder.name, list(tally.tokens))
    finally:
        connection.rollback()
    tokens = sum(tally.tokens[sha256] for sha256 in missing)
    return Plan(
        folder=source.root,
        seen=scanned.seen,
        renamed=scanned.renamed,
        deleted=scanned.deleted,
        pending=scanned.pending,
        read=tally.read,
        rejected=tuple(tally.rejected),
        chunks=tally.chunks,
        embed=len(missing),
        tokens=tokens,
        usd=tokens * embedder.usd_per_million_tokens / 1e6,
    )


class _Tally:
    """What the batches add up to; `tokens` holds each distinct text's length by its hash."""

    def __init__(self) -> None:
        self.read = 0
        self.chunks = 0
        self.tokens: dict[bytes, int] = {}
        self.rejected: list[Rejection] = []

    def reject(self, path: str, error: OpenbookError) -> None:
        if isinstance(error, Rejected):
            self.rejected.append(Rejection(path, error.message, error.remedy or None))


def _plan_batch(
    connection: Connection,
    source: Source,
    pending: Sequence[Pending],
    reader: Reader,
    tally: _Tally,
) -> None:
    paths = {one.document_id: one.path for one in pending}
    with staging(reader.settings.home) as folder:
        staged, refusals = stage_all(Path(source.root), pending, folder, reader)
        known = known_contents(connection, source.id, {file.key for file in staged})
        unread = {file.key: file.copy for file in staged if file.key not in known}
        readings, failures = read_files(unread, reader)
    tally.read += len(unread)
    for refusal in refusals:
        tally.reject(paths[refusal.document_id], refusal.error)
    for file in staged:
        if file.key in failures:
            tally.reject(paths[file.document_id], failures[file.key])
    for reading in readings:
        tally.chunks += len(reading.chunks)
        tally.tokens |= {chunk.sha256: chunk.tokens for chunk in reading.chunks}
    rows = connection.execute(query("content_texts"), {"contents": list(known.values())})
    for sha256, tokens in rows:
        tally.chunks += 1
        tally.tokens[bytes(sha256)] = tokens


def _missing(connection: Connection, model: str, sha256s: Sequence[bytes]) -> list[bytes]:
    rows = connection.execute(query("texts_missing"), {"model": model, "sha256s": sha256s})
    return [bytes(sha256) for (sha256,) in rows]
