"""Remove documents for good: history, chunks, and the vectors that nothing else uses."""

from __future__ import annotations

import os
from dataclasses import dataclass

from psycopg import Connection
from psycopg.rows import class_row

from tasks.database import query
from tasks.errors import Fatal
from tasks.records import encode_path


@dataclass(frozen=True, slots=True)
class Removal:
    """How many rows of each kind went; embeddings of all models."""

    versions: int
    contents: int
    chunks: int
    passages: int
    embeddings: int
    documents: int = 0


def forget(connection: Connection, path: str) -> Removal:
    """Remove the document of that path, or all documents below that folder, in one transaction.

    `path` is absolute, or relative to its source. The file itself is not touched: while it lies in
    a watched folder, the next run reads it again. Raises Fatal when no document has that path.
    """
    given = encode_path(os.fsencode(path)).rstrip("/")
    absolute = encode_path(os.fsencode(os.path.abspath(path)))
    with connection.transaction():
        found = connection.execute(
            query("documents_at"), {"path": given, "absolute": absolute}
        ).fetchall()
        if not found:
            raise Fatal(
                f"No document has the path {path}",
                "Give it as search shows it, or as an absolute path.",
            )
        with connection.cursor(row_factory=class_row(Removal)) as cursor:
            removal = cursor.execute(
                "select * from openbook.forget(%s)", [[document_id for (document_id,) in found]]
            ).fetchone()
    assert removal is not None
    return removal
