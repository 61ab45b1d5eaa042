"""A training's row: there before anything is sent, so that nothing is trained or paid twice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.settings import Settings
from tasks.training.backend import Backend, JobState, Method
from tasks.training.retraining import Retraining


@dataclass(frozen=True, slots=True)
class Run:
    """A row of openbook.training_runs, as far as a cycle needs it."""

    id: int
    run_key: str
    state: str
    job_id: str | None
    settings: dict[str, Any]


def plan_run(
    connection: Connection, wanted: Retraining, method: Method, version_id: int, sha256: str
) -> Run:
    """A row for a training of the version, with a run key that no other has.

    The same training of the same examples that an earlier cycle began, and that was neither given
    up nor came to nothing, is carried on instead.
    """
    row = connection.execute(
        query("training_run_plan"),
        {
            "backend": wanted.backend,
            "method": method,
            "version": version_id,
            "sha256": bytes.fromhex(sha256),
            "base": wanted.base,
            "settings": Jsonb(dict(wanted.settings)),
        },
    ).fetchone()
    assert row is not None
    return run_of(connection, row[0])


def folder_of(settings: Settings, run: Run) -> Path:
    """The folder that a training leaves its model in, if it is made here."""
    return settings.home / "training" / run.run_key / "model"


def stop(connection: Connection, backend: Backend, run: Run, folder: Path) -> None:
    """Cancel what was submitted of a training, also where its job's id was lost.

    Raises Retryable while a job may still arrive. One that had ended stays as it is.
    """
    job_id = run.job_id or backend.find(run.run_key, folder)
    if job_id is None or backend.cancel(job_id):
        connection.execute(
            "update openbook.training_runs"
            " set state = 'cancelled', changed_at = now(), finished_at = now()"
            " where id = %s and state not in ('succeeded', 'failed', 'cancelled')",
            [run.id],
        )


def run_of(connection: Connection, id: int) -> Run:
    """The training of that number."""
    with connection.cursor(row_factory=class_row(Run)) as cursor:
        found = cursor.execute(
            "select id, run_key, state, job_id, settings from openbook.training_runs where id = %s",
            [id],
        ).fetchone()
    assert found is not None
    return found


def same_training(
    connection: Connection, wanted: Retraining, method: Method, sha256: str
) -> int | None:
    """The sound model that the same training of the same examples already made; None: none did."""
    row = connection.execute(
        query("training_run_same"),
        {
            "backend": wanted.backend,
            "method": method,
            "sha256": bytes.fromhex(sha256),
            "base": wanted.base,
            "settings": Jsonb(dict(wanted.settings)),
        },
    ).fetchone()
    return None if row is None else int(row[0])


def note_job(connection: Connection, run: Run, job_id: str, usd: float | None) -> None:
    """Write down that the job was taken, and its price; a backend that did so itself is right."""
    connection.execute(
        "update openbook.training_runs set job_id = coalesce(job_id, %s), usd = coalesce(usd, %s),"
        " state = case when state = 'planned' then 'running' else state end, changed_at = now()"
        " where id = %s",
        [job_id, usd, run.id],
    )


def forget_job(connection: Connection, run: Run) -> None:
    """Let the training be submitted again."""
    connection.execute(
        "update openbook.training_runs set job_id = null, state = 'planned', finished_at = null"
        " where id = %s",
        [run.id],
    )


def note_state(connection: Connection, run: Run, state: JobState) -> None:
    """Write down how a job stands that its backend keeps no row of."""
    failed = state.state == "failed"
    connection.execute(
        query("training_run_note"),
        {
            "run": run.id,
            "state": state.state,
            "reason": state.message if failed else None,
            "metrics": Jsonb(
                {
                    name: value
                    for name in ("step", "steps", "loss")
                    if (value := getattr(state, name)) is not None
                }
            ),
        },
    )


def note_metrics(connection: Connection, run: Run, metrics: Mapping[str, float]) -> None:
    """Add what the training measured."""
    connection.execute(
        "update openbook.training_runs set metrics = metrics || %s where id = %s",
        [Jsonb(dict(metrics)), run.id],
    )
