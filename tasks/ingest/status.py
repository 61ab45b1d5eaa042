"""How the book stands: sources, files, models, costs, versions, and what of it is wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from psycopg import Connection, Cursor
from psycopg.rows import dict_row

from tasks.database import is_held, query

_PENDING_NAMED = 1000


def status(connection: Connection) -> dict[str, Any]:
    """Sources with counts and their last run, files without a full answer, models, versions.

    Of the pending files, the first are named. `behind_seconds` of a source is how long ago its last
    run that succeeded ended (None: none has), `lag_seconds` how long its oldest waiting file waits;
    a run that was killed is `abandoned`, as the next one will say. `usd` is what the last 30 days
    cost.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        sources = _sources(cursor)
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


def _sources(cursor: Cursor[dict[str, Any]]) -> list[dict[str, Any]]:
    sources = cursor.execute(query("status_sources")).fetchall()
    killed = {
        source["run_id"]
        for source in sources
        if source["outcome"] == "running" and not is_held(cursor.connection, "ingest", source["id"])
    }
    if killed:  # or it ended between the two questions
        sources = cursor.execute(query("status_sources")).fetchall()
    for source in sources:
        if source["outcome"] == "running" and source["run_id"] in killed:
            source["outcome"] = "abandoned"
    return sources


def problems(values: Mapping[str, Any], allowed: timedelta) -> list[str]:
    """What of the values of `status`, and of `indexes` among them, someone has to look after.

    A source may be behind, and a file may wait, for as long as is `allowed`.
    """
    found = [said for source in values["sources"] for said in _flaws(source, allowed)]
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


def _flaws(source: Mapping[str, Any], allowed: timedelta) -> Iterator[str]:
    name, outcome, behind = source["name"], source["outcome"], source["behind_seconds"]
    if outcome in ("failed", "abandoned"):
        yield f"{name}: the last run {outcome}: {source['error'] or 'it was killed'}"
    if not source["root"].startswith("/"):  # a program gave its documents, once
        return
    if not os.path.isdir(source["root"]):
        yield f"{name}: its folder {source['root']} is not there"
    if behind is None and outcome is None:
        yield f"{name}: it was never read"
    if behind is not None and behind > allowed.total_seconds():
        yield f"{name}: the last run that succeeded was {_ago(behind)} ago"
    if source["lag_seconds"] > allowed.total_seconds():
        yield f"{name}: a file waits to be read since {_ago(source['lag_seconds'])}"


def _ago(seconds: float) -> str:
    hours = round(seconds / 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


def newest_run(connection: Connection) -> int | None:
    """How many files of the newest run's source still wait; None while no run is under way."""
    row = connection.execute(query("status_running")).fetchone()
    return int(row[0]) if row else None
