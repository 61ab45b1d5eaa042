"""The files of a folder, byte for byte, against what is recorded of them."""

from __future__ import annotations

from pathlib import Path

from psycopg import Connection

from tasks.database import query
from tasks.ingest.runs import Source
from tasks.ingest.scan import scan


def compare_files(connection: Connection, source: Source, max_bytes: int) -> list[tuple[int, str]]:
    """Every file that was added, changed, moved, deleted or became unreadable since the last scan.

    All files are hashed, so that one whose size and times stayed the same while its bytes changed
    is found. Each as (document id, absolute path); a new file has an id that does not last. All
    of it is rolled back: nothing changes. A run of the same folder that starts
    meanwhile waits. Raises Fatal when the folder cannot be listed.
    """
    with connection.transaction(force_rollback=True):
        connection.execute(query("known_files"), {"source": source.id})
        connection.execute(query("distrust_files"), {"source": source.id})
        # How the documents were made is not compared, so any recipe will do.
        scan(
            connection,
            source.id,
            Path(source.root),
            recipe="",
            max_bytes=max_bytes,
            max_delete_share=None,
        )
        rows = connection.execute(query("verify_files"), {"source": source.id}).fetchall()
    return [(document_id, f"{source.root}/{path}") for document_id, path in rows]
