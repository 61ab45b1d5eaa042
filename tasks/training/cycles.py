"""Cycles of retraining: one row each, moved on in the transaction that stores what a step made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, LiteralString

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier, Placeholder
from psycopg.types.json import Jsonb

from tasks.errors import Rejected
from tasks.training.retraining import Retraining, stored_retraining

Step = Literal["curate", "train", "register", "evaluate", "judge", "approve", "promote", "done"]
Outcome = Literal["promoted", "kept", "unchanged", "refused", "failed"]


class Waiting(Exception):
    """The cycle's step cannot be taken yet; the message says what it waits for."""


class Refused(Rejected):
    """A rule or a person says no to what the cycle is about to do; nothing went wrong."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """A row of openbook.retrain_cycles; the ids are of what its steps made so far."""

    id: int
    task: str
    dataset: str
    spec_path: str
    backend: str
    base: str
    settings: dict[str, Any]
    step: Step
    outcome: Outcome | None
    reasons: list[str]
    dataset_version_id: int | None
    training_run_id: int | None
    candidate_id: int | None
    decision_id: int | None
    attempts: int
    started_at: datetime
    changed_at: datetime
    finished_at: datetime | None

    @property
    def wanted(self) -> Retraining:
        """The retraining as it was when the cycle began."""
        return stored_retraining(self.settings)


def open_cycle(connection: Connection, task: str) -> Cycle | None:
    """The task's cycle that is under way."""
    return _one(connection, "task = %s and step <> 'done'", task)


def begin_cycle(
    connection: Connection, wanted: Retraining, dataset: str, spec_path: str, task: str
) -> Cycle:
    """Begin a cycle of the task, which has none under way."""
    row = connection.execute(
        "insert into openbook.retrain_cycles (task, dataset, spec_path, backend, base, settings)"
        " values (%s, %s, %s, %s, %s, %s) returning id",
        [task, dataset, spec_path, wanted.backend, wanted.base, Jsonb(wanted.as_json())],
    ).fetchone()
    assert row is not None
    return cycle_of(connection, row[0])


def cycle_of(connection: Connection, id: int) -> Cycle:
    """The cycle of that number."""
    found = _one(connection, "id = %s", id)
    assert found is not None
    return found


def bind(
    connection: Connection, cycle: Cycle, *, approve: bool | None, max_usd: float | None
) -> Cycle:
    """Hold the cycle from its next step on to what was asked for since; None changes nothing."""
    wanted = cycle.wanted
    now = replace(
        wanted,
        approve=wanted.approve if approve is None else approve,
        policy=wanted.policy if max_usd is None else replace(wanted.policy, max_usd=max_usd),
    )
    if now == wanted:
        return cycle
    bound = now.policy.max_usd
    most = "" if bound is None else f", for at most ${bound:,.2f}"
    says = f"{'with' if now.approve else 'without'} a person's approval{most}, from now on"
    return _change(connection, cycle, {"settings": Jsonb(now.as_json())}, says)


def advance(
    connection: Connection, cycle: Cycle, step: Step, says: str, **made: int | None
) -> Cycle:
    """Let the cycle reach a step, with the ids of what was made, and say what was done."""
    return _change(connection, cycle, {"step": step, "attempts": 0, **made}, says)


def finish(connection: Connection, cycle: Cycle, outcome: Outcome, says: str) -> Cycle:
    """End the cycle."""
    return _change(connection, cycle, {"step": "done", "outcome": outcome}, says)


def stumble(connection: Connection, cycle: Cycle, says: str) -> Cycle:
    """Write down that the cycle's step failed, once more."""
    return _change(connection, cycle, {"attempts": cycle.attempts + 1}, says)


def _change(connection: Connection, cycle: Cycle, values: dict[str, Any], says: str) -> Cycle:
    columns = SQL(", ").join(
        SQL("{} = {}").format(Identifier(name), Placeholder(name)) for name in values
    )
    statement = SQL(
        "update openbook.retrain_cycles set {}, reasons = reasons || %(says)s,"
        " changed_at = clock_timestamp(),"
        " finished_at = case when %(ends)s then clock_timestamp() end where id = %(id)s"
    ).format(columns)
    ends = values.get("step") == "done"
    repeated = cycle.reasons and cycle.reasons[-1] == says
    connection.execute(
        statement,
        {**values, "says": Jsonb([] if repeated else [says]), "ends": ends, "id": cycle.id},
    )
    return cycle_of(connection, cycle.id)


def _one(connection: Connection, condition: LiteralString, value: object) -> Cycle | None:
    with connection.cursor(row_factory=class_row(Cycle)) as cursor:
        return cursor.execute(
            SQL("select * from openbook.retrain_cycles where ") + SQL(condition), [value]
        ).fetchone()
