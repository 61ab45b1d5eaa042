"""How the book stands: sources, documents, pending and rejected files, models, versions."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tasks.database import query

_PENDING_NAMED = 1000


def status(connection: Connection) -> dict[str, Any]:
    """Sources with counts and their last run, files without a full answer, models, versions.

    Of the pending files, the first are named.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        sources = cursor.execute(query("status_sources")).fetchall()
        rejected = cursor.execute(query("status_rejected")).fetchall()
        pending = cursor.execute(query("status_pending"), {"limit": _PENDING_NAMED}).fetchall()
        models = cursor.execute(query("status_models")).fetchall()
        versions = cursor.execute(query("status_versions")).fetchone() or {}
    files = {"rejected": rejected, "pending": pending}
    return {"sources": sources, **files, "models": models, **versions}


def newest_run(connection: Connection) -> int | None:
    """How many files of the newest run's source still wait; None while no run is under way."""
    row = connection.execute(query("status_running")).fetchone()
    return int(row[0]) if row else None
