"""What a run would do and spend, found out by doing all of it but the buying and publishing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from psycopg import Connection

from tasks.database import query
from tasks.embedders import Embedder
from tasks.errors import OpenbookError, Rejected
from tasks.ingest.context import ask_about, body_limit, known_contexts, placed
from tasks.ingest.read import Reader, read_files, stage_all, staging
from tasks.ingest.runs import Rejection, Source, register_source
from tasks.ingest.scan import scan
from tasks.ingest.store import Pending, Reading, known_contents, pending_documents, pending_ids


@dataclass(frozen=True, slots=True)
class Plan:
    """Counts of files: `read` are those whose content is new; `embed` counts texts to be bought,
    `contexts` what the context model is to be asked; a text whose context is not known yet counts
    as one to be bought.


    `rejected` names the files that a run would newly reject; `usd` is the price at current
    rates, where nothing of what the context model is shown is in its provider's cache.
    """

    folder: str
    seen: int
    renamed: int
    deleted: int
    pending: int
    read: int
    rejected: tuple[Rejection, ...]
    chunks: int
    contexts: int
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
    contexts = reader.writer.price(tally.shown, tally.written) if reader.writer else 0.0
    return Plan(
        folder=source.root,
        seen=scanned.seen,
        renamed=scanned.renamed,
        deleted=scanned.deleted,
        pending=scanned.pending,
        read=tally.read,
        rejected=tuple(tally.rejected),
        chunks=tally.chunks,
        contexts=tally.contexts,
        embed=len(missing),
        tokens=tokens + tally.shown + tally.written,
        usd=tokens * embedder.usd_per_million_tokens / 1e6 + contexts,
    )


class _Tally:
    """What the batches add up to; `tokens` holds each distinct text's length by its hash."""

    def __init__(self) -> None:
        self.read = 0
        self.chunks = 0
        self.contexts = self.shown = self.written = 0
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
    if reader.writer is not None:
        readings = _count_contexts(connection, source, readings, reader, tally)
    for reading in readings:
        tally.chunks += len(reading.chunks)
        tally.tokens |= {chunk.sha256: chunk.tokens for chunk in reading.chunks}
    rows = connection.execute(query("content_texts"), {"contents": list(known.values())})
    for sha256, tokens in rows:
        tally.chunks += 1
        tally.tokens[bytes(sha256)] = tokens


def _count_contexts(
    connection: Connection,
    source: Source,
    readings: Sequence[Reading],
    reader: Reader,
    tally: _Tally,
) -> list[Reading]:
    """Count what the model is to be asked; the readings with the contexts that are there."""
    assert reader.writer is not None
    limit = reader.settings.chunk_tokens
    asked = ask_about(connection, source.id, readings, reader.tokenizer)
    questions = dict(chain.from_iterable(asked))
    found = known_contexts(connection, reader.writer.model, list(questions))
    missing = [question for key, question in questions.items() if key not in found]
    tally.contexts += len(missing)
    tally.shown += sum(question.tokens for question in missing)
    tally.written += len(missing) * (limit - body_limit(limit))
    return [
        placed(reading, one, found, reader.tokenizer, limit)
        for reading, one in zip(readings, asked, strict=True)
    ]


def _missing(connection: Connection, model: str, sha256s: Sequence[bytes]) -> list[bytes]:
    rows = connection.execute(query("texts_missing"), {"model": model, "sha256s": sha256s})
    return [bytes(sha256) for (sha256,) in rows]
