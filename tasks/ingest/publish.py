"""Readers see the old version or the new one: the pointers move in one short transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg import Connection

from tasks.database import query
from tasks.errors import OpenbookError, Rejected, Retryable
from tasks.ingest.embed import Purchase, TextRefused


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document whose file was not used, and the error that says why."""

    document_id: int
    error: OpenbookError


def publish(
    connection: Connection,
    run_id: int,
    contents: Sequence[tuple[int, int]],
    refusals: Sequence[Refusal],
    purchase: Purchase,
) -> None:
    """Make each (document id, content id) current, reject the refused, and count it in the run.

    A document with a text that the embedder refused is rejected, and keeps its last good version.
    All in one transaction. Raises Retryable when another run has taken over the source since: then
    nothing has changed.
    """
    rejected = [
        (refusal.document_id, refusal.error)
        for refusal in refusals
        if isinstance(refusal.error, Rejected)
    ]
    refused = _refused(connection, [content_id for _, content_id in contents], purchase)
    rejected += [
        (document, refused[content]) for document, content in contents if content in refused
    ]
    contents = [one for one in contents if one[1] not in refused]
    with connection.transaction(), connection.cursor() as cursor:
        new, changed, chunks = cursor.execute(
            query("publish"),
            {
                "run": run_id,
                "documents": [document_id for document_id, _ in contents],
                "contents": [content_id for _, content_id in contents],
            },
        ).fetchone() or (0, 0, 0)
        cursor.execute(
            query("reject"),
            {
                "documents": [document_id for document_id, _ in rejected],
                "reasons": [error.message for _, error in rejected],
                "remedies": [error.remedy or None for _, error in rejected],
                "retries": [error.retry for _, error in rejected],
            },
        )
        cursor.execute(
            query("run_count"),
            {
                "run": run_id,
                "new": new,
                "changed": changed,
                "chunks": chunks,
                "embedded": purchase.texts,
                "tokens": purchase.usage.tokens,
                "usd": purchase.usage.usd,
            },
        )
        if cursor.rowcount != 1:
            raise Retryable(f"Run {run_id} was taken over by another one", "Run it again.")


def _refused(
    connection: Connection, contents: Sequence[int], purchase: Purchase
) -> dict[int, Rejected]:
    """Those of the contents that hold a text which the embedder refused, and why."""
    rows = connection.execute(
        query("contents_refused"), {"contents": contents, "sha256s": list(purchase.refused)}
    ).fetchall()
    return {
        content_id: TextRefused(
            f"one of its texts cannot be embedded ({purchase.refused[bytes(sha256)]})",
            f"Change the text that begins “{start}”; until then it is tried again now and then.",
        )
        for content_id, sha256, start in rows
    }


def index(connection: Connection, model_id: int) -> None:
    """Move what was published into the search indexes; the connection must be in autocommit mode.

    Search finds it before, too; this makes it fast. Passages are sealed a block a transaction, so
    that other runs may publish in between. The vector index is built once there are enough rows.
    """
    while connection.execute("select openbook.seal_blocks()").fetchone() not in (None, (0,)):
        pass
    connection.execute("select openbook.index_embeddings(%s)", (model_id,))
