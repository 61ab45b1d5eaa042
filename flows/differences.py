"""What differs between what is recorded and what is there: in the database, and in the folders."""

from __future__ import annotations

from psycopg import Connection

from tasks.errors import Fatal
from tasks.ingest.compare import compare_files
from tasks.ingest.runs import sources
from tasks.settings import Settings
from tasks.upkeep.verify import Finding, finding, verify


def differences(connection: Connection, settings: Settings) -> list[Finding]:
    """Everything that differs, every file's bytes compared; in the order of mending."""
    rows: list[tuple[int, str]] = []
    for source in sources(connection):
        try:
            rows += compare_files(connection, source, settings.file_megabytes << 20)
        except Fatal as error:
            rows.append((0, error.message))
    files = [finding("files", "files are not as they were read", rows)] if rows else []
    return files + verify(connection)
