"""A run's row: begun before anything is sent, and kept in step with what its provider tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from openai.types.fine_tuning import FineTuningJobEvent
from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.errors import Fatal, Rejected
from tasks.training.backend import TrainingJob
from tasks.training.hosted.order import Order

_LIMITS = {"max_usd", "usd_per_million_tokens"}
"""Settings that say what may be paid, not what is trained."""


@dataclass(frozen=True, slots=True)
class Run:
    """A row of openbook.training_runs, as far as it is needed here."""

    id: int
    run_key: str
    backend: str
    method: str
    base: str
    dataset: str
    settings: dict[str, Any]
    state: str
    job_id: str | None
    usd_per_million_tokens: float | None


_COLUMNS = (
    "select id, run_key, backend, method, base, encode(dataset_sha256, 'hex') as dataset,"
    " settings, state, job_id,"
    " (metrics ->> 'usd_per_million_tokens')::double precision as usd_per_million_tokens"
    " from openbook.training_runs where "
)


def begin(connection: Connection, job: TrainingJob, order: Order) -> Run:
    """The run of that key; its row is committed, and priced unless it was launched.

    Raises Rejected when the key is another job's.
    """
    connection.execute(
        query("training_run_begin"),
        {
            "run_key": job.run_key,
            "method": job.method,
            "dataset": bytes.fromhex(job.dataset_sha256),
            "base": job.base,
            "settings": Jsonb(dict(job.settings)),
        },
    )
    run = _one(connection, _COLUMNS + "run_key = %s", job.run_key)
    assert run is not None
    asked = ("openai", job.method, job.base, job.dataset_sha256, _trained(job.settings))
    if asked != (run.backend, run.method, run.base, run.dataset, _trained(run.settings)):
        connection.rollback()
        raise Rejected(f"the run key {job.run_key} is another job's", "Begin a run of its own.")
    rate = order.usd_per_million_tokens
    metrics = {} if rate is None else {"usd_per_million_tokens": rate}
    connection.execute(
        query("training_run_price"), {"run": run.id, "usd": order.usd, "metrics": Jsonb(metrics)}
    )
    connection.commit()
    return run


def refuse(connection: Connection, run: int, refusal: Rejected | Fatal) -> None:
    """Write down why a run was not launched; nothing was bought, and it may be submitted again."""
    connection.rollback()
    connection.execute(
        query("training_run_refuse"),
        {"run": run, "reason": refusal.message, "remedy": refusal.remedy},
    )
    connection.commit()


def named(connection: Connection, run_key: str) -> Run | None:
    """The provider's run of that key."""
    run = _one(connection, _COLUMNS + "backend = 'openai' and run_key = %s", run_key)
    connection.commit()
    return run


def find(connection: Connection, job_id: str) -> Run:
    """The run whose job that is. Raises Rejected when there is none."""
    run = _one(connection, _COLUMNS + "backend = 'openai' and job_id = %s", job_id)
    connection.commit()
    if run is None:
        raise Rejected(f"no run has the job {job_id}", "Name one of openbook.training_runs.")
    return run


def told(connection: Connection, run: Run) -> set[str]:
    """The ids of the events that are stored."""
    rows = connection.execute(
        "select data ->> 'id' from openbook.training_events where training_run_id = %s", [run.id]
    ).fetchall()
    connection.commit()
    return {row[0] for row in rows}


@dataclass(frozen=True, slots=True)
class Progress:
    """How a job stands, as its provider tells; `events` are newest first."""

    state: str
    metrics: Mapping[str, Any]
    events: Sequence[FineTuningJobEvent]
    reason: str | None = None
    remedy: str | None = None


def advance(connection: Connection, run: Run, progress: Progress) -> None:
    """Write down how a job stands; each event is kept once, in the order of their times."""
    connection.execute("select from openbook.training_runs where id = %s for update", [run.id])
    events = list(reversed(progress.events))
    events.sort(key=lambda event: event.created_at)
    connection.execute(
        query("training_events_add"),
        {
            "run": run.id,
            "events": Jsonb(
                [
                    {
                        "id": one.id,
                        "at": one.created_at,
                        "message": one.message,
                        "level": one.level,
                        "type": one.type,
                        "data": one.data,
                    }
                    for one in events
                ]
            ),
        },
    )
    connection.execute(
        query("training_run_advance"),
        {
            "run": run.id,
            "state": progress.state,
            "metrics": Jsonb(dict(progress.metrics)),
            "reason": progress.reason,
            "remedy": progress.remedy,
        },
    )
    connection.commit()


def note(connection: Connection, run: Run, metrics: Mapping[str, Any]) -> None:
    """Add to what is kept of a run's measurements."""
    connection.execute(
        "update openbook.training_runs set metrics = metrics || %s where id = %s",
        [Jsonb(dict(metrics)), run.id],
    )
    connection.commit()


def latest_metrics(connection: Connection, run: Run) -> dict[str, Any]:
    """What the last event that measured something says; {} when none did."""
    row = connection.execute(query("training_latest_metrics"), {"run": run.id}).fetchone()
    connection.commit()
    return {} if row is None else dict(row[0])


def _trained(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name not in _LIMITS}


def _one(connection: Connection, statement: str, key: str) -> Run | None:
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        return cursor.execute(statement, [key]).fetchone()
