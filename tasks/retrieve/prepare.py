"""Many questions at once: their embeddings are made in batches and stored before they are asked."""

from __future__ import annotations

from collections.abc import Sequence

from pgvector import HalfVector
from psycopg import Connection

from tasks.database import query as statement
from tasks.embedders import Embedder

_BATCH = 256


def remember_queries(connection: Connection, embedder: Embedder, queries: Sequence[str]) -> int:
    """Store the embeddings that are not known of these queries; how many were embedded.

    The embedder's model must be the one that serves.
    """
    parameters = {"model": embedder.name, "queries": list(queries)}
    rows = connection.execute(statement("queries_unknown"), parameters).fetchall()
    unknown = [text for (text,) in rows]
    for start in range(0, len(unknown), _BATCH):
        batch = unknown[start : start + _BATCH]
        vectors = embedder.embed(batch)
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                statement("remember_query"),
                [
                    {"model": embedder.name, "words": text, "embedding": HalfVector(vector)}
                    for text, vector in zip(batch, vectors, strict=True)
                ],
            )
    return len(unknown)
