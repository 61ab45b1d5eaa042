"""How the book stands: sources, documents, rejected files, models, versions."""

from __future__ import annotations

from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tasks.database import query


def status(connection: Connection) -> dict[str, Any]:
    """Sources with counts and their last run, rejected files, models, and the server's versions."""
    with connection.cursor(row_factory=dict_row) as cursor:
        sources = cursor.execute(query("status_sources")).fetchall()
        rejected = cursor.execute(query("status_rejected")).fetchall()
        models = cursor.execute(query("status_models")).fetchall()
        versions = cursor.execute(query("status_versions")).fetchone() or {}
    return {"sources": sources, "rejected": rejected, "models": models, **versions}


def newest_run(connection: Connection) -> int | None:
    """How many files of the newest run's source still wait; None while no run is under way."""
    row = connection.execute(query("status_running")).fetchone()
    return int(row[0]) if row else None
