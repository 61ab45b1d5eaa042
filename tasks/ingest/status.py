"""How the book stands: sources, files, models, costs, versions, and what of it is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import Connection
from psycopg.rows import dict_row

from tasks.database import query

_PENDING_NAMED = 1000


def status(connection: Connection) -> dict[str, Any]:
    """Sources with counts and their last run, files without a full answer, models, versions.

    Of the pending files, the first are named. `behind_seconds` of a source is how long ago its last
    run that succeeded ended (None: none has), `lag_seconds` how long its oldest waiting file waits.
    `usd` is what the last 30 days cost.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        sources = cursor.execute(query("status_sources")).fetchall()
        rejected = cursor.execute(query("status_rejected")).fetchall()
        pending = cursor.execute(query("status_pending"), {"limit": _PENDING_NAMED}).fetchall()
        models = cursor.execute(query("status_models")).fetchall()
        serving = cursor.execute(query("status_serving")).fetchall()
        trainings = cursor.execute(query("status_trainings")).fetchall()
        usd = cursor.execute(query("status_costs")).fetchone()
        versions = cursor.execute(query("status_versions")).fetchone() or {}
    files = {"rejected": rejected, "pending": pending}
    work = {"models": models, "serving": serving, "trainings": trainings, "usd": usd}
    return {"sources": sources, **files, **work, **versions}


def problems(values: Mapping[str, Any]) -> list[str]:
    """What of the values of `status`, and of `indexes` among them, someone has to look after."""
    found = [
        f"{source['name']}: the last run {source['outcome']}: {source['error'] or 'it was killed'}"
        for source in values["sources"]
        if source["outcome"] in ("failed", "abandoned")
    ]
    if count := len(values["rejected"]):
        found.append(f"{count:,} {'file is' if count == 1 else 'files are'} rejected")
    for one in values["serving"]:
        if one["tainted_at"]:
            found.append(f"{one['model']} serves, and what it was trained on was forgotten")
        if one["retired"]:
            found.append(f"{one['model']} serves, and its provider has shut it down")
    indexes = values.get("indexes") or {}
    found += [f"the index {name} is invalid" for name in indexes.get("invalid", ())]
    return found


def newest_run(connection: Connection) -> int | None:
    """How many files of the newest run's source still wait; None while no run is under way."""
    row = connection.execute(query("status_running")).fetchone()
    return int(row[0]) if row else None
