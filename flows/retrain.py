"""From new conversations to a better model: curate, train, examine, judge, promote or explain.

A cycle is a row that says which step is next. A step ends in the transaction that moves the row on,
so that whoever dies is carried on by the next run, and nothing is trained or paid twice. Nobody
waits for a training: a run that finds it under way ends, and the next one looks again.
"""

from __future__ import annotations

import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any

from prefect import flow, task
from prefect.artifacts import create_markdown_artifact
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment
from psycopg import Connection
from pydantic import Field

from flows.events import MODEL_PROMOTED, tell
from flows.retrain_steps import STEPS
from flows.trouble import explained, may_pass, stand_back
from tasks.database import connect, hold
from tasks.datasets.due import due
from tasks.datasets.read_spec import read_spec
from tasks.errors import Fatal, OpenbookError, Rejected, Retryable
from tasks.settings import current
from tasks.training.backend import open_backend
from tasks.training.cycles import (
    Cycle,
    Outcome,
    Refused,
    Waiting,
    begin_cycle,
    bind,
    cycle_of,
    finish,
    open_cycle,
    stumble,
)
from tasks.training.decisions import decision, report
from tasks.training.policy import worth_training
from tasks.training.registry import ANSWER
from tasks.training.retraining import Retraining, read_retraining
from tasks.training.runs import folder_of, run_of, stop

_LOOK_SECONDS = 15.0


@flow(name="retrain", flow_run_name="retrain {spec}")
def retrain(
    spec: Annotated[str, Field(min_length=1)],
    *,
    backend: str | None = None,
    base: str | None = None,
    max_usd: Annotated[float | None, Field(ge=0)] = None,
    approve: bool | None = None,
    if_due: bool = False,
    wait_seconds: Annotated[float, Field(ge=0)] = 0,
) -> dict[str, Any]:
    """Carry the cycle on that is under way, or begin one; as far as it goes without waiting.

    Args:
        spec: The path of the retraining spec's file.
        backend: In place of the spec's: local, or openai. A cycle under way keeps its own.
        base: In place of the spec's: the model to start from. A cycle under way keeps its own.
        max_usd: In place of the spec's: the most that the training may cost.
        approve: In place of the spec's: whether a person is asked before a promotion.
        if_due: Begin only when the policy says so; the report says why or why not.
        wait_seconds: How long to wait for a training that is under way.
    """
    path = str(Path(spec).absolute())
    with (
        explained(),
        closing(connect(current(), autocommit=True)) as connection,
        hold(connection, "retrain", ANSWER) as held,
    ):
        if not held:
            ended: dict[str, Any] = stand_back(
                "Another run retrains already", "Wait until it ends."
            )
            return ended
        cycle = open_cycle(connection, ANSWER)
        if cycle is None:
            changes = {"backend": backend, "base": base, "max_usd": max_usd, "approve": approve}
            wanted = read_retraining(Path(path), **changes)
            goes, reasons = _worth(connection, wanted) if if_due else (True, ())
            if not goes:
                return {"outcome": "not due", "reasons": list(reasons), "cycle": None}
            dataset = read_spec(Path(wanted.dataset)).name
            cycle = begin_cycle(connection, wanted, dataset, path, ANSWER)
        elif cycle.spec_path != path and if_due:
            reason = f"cycle {cycle.id} of {cycle.spec_path} is under way, at {cycle.step}"
            return {"outcome": "not due", "reasons": [reason], "cycle": None}
        elif cycle.spec_path != path:
            raise Retryable(
                f"Cycle {cycle.id} of {cycle.spec_path} is under way, at {cycle.step}",
                f"Let it end: openbook retrain {cycle.spec_path}, with --abandon to give it up.",
            )
        if (base or cycle.base, backend or cycle.backend) != (cycle.base, cycle.backend):
            raise Fatal(
                f"Cycle {cycle.id}, at {cycle.step}, trains {cycle.base} by {cycle.backend}",
                f"Let it end, or give it up first: openbook retrain {cycle.spec_path} --abandon.",
            )
        cycle = bind(connection, cycle, approve=approve, max_usd=max_usd)
        return _carry_on(connection, cycle, time.monotonic() + wait_seconds)


def abandon(connection: Connection) -> Cycle | None:
    """Give the cycle up that is under way, and cancel its training; None where there is none.

    Raises Retryable while a training that was sent, unanswered, may still arrive.
    """
    with hold(connection, "retrain", ANSWER) as held:
        if not held:
            raise Retryable("A run is at it", "Stop that run first.")
        cycle = open_cycle(connection, ANSWER)
        if cycle is None:
            return None
        run = run_of(connection, cycle.training_run_id) if cycle.training_run_id else None
        says = "it was given up by hand"
        if cycle.step == "train" and run is not None:
            try:
                backend = open_backend(cycle.backend, current())
                stop(connection, backend, run, folder_of(current(), run))
            except Fatal as error:  # the next cycle that wants it finds it
                says += f"; training {run.id} could not be cancelled: {error.message}"
        return finish(connection, cycle, "refused", says)


def _worth(connection: Connection, wanted: Retraining) -> tuple[bool, tuple[str, ...]]:
    dataset = read_spec(Path(wanted.dataset))
    verdict = due(connection, dataset)
    trigger = (verdict.due, verdict.reasons)
    return worth_training(connection, wanted, dataset.name, ANSWER, trigger)


def _carry_on(connection: Connection, cycle: Cycle, until: float) -> dict[str, Any]:
    while cycle.step != "done":
        waits = step(cycle.step, cycle.id)
        before, cycle = cycle, cycle_of(connection, cycle.id)
        if before.decision_id is None and cycle.decision_id is not None:
            _show(connection, cycle.decision_id)
        if waits is None:
            continue
        if cycle.step == "approve" and cycle.decision_id is not None:
            _ask(cycle.decision_id)
        if cycle.step != "train" or time.monotonic() >= until:
            return report_of(cycle, waits)
        time.sleep(max(0.0, min(_LOOK_SECONDS, until - time.monotonic())))
    if cycle.outcome == "promoted" and cycle.decision_id is not None:
        row = decision(connection, cycle.decision_id)
        tell(
            MODEL_PROMOTED,
            row["candidate"].partition("@")[0],
            model=row["candidate"],
            previous=row["serving"],
            decision=row["decision_id"],
        )
    return report_of(cycle)


@task(
    name="step",
    task_run_name="{name}",
    retries=2,
    retry_delay_seconds=[5, 30],
    retry_condition_fn=may_pass,
)
def step(name: str, cycle_id: int) -> str | None:
    """Take the cycle's next step; what it waits for, or None when it was taken.

    What no repetition helps ends the cycle; whatever else fails leaves it where it is.
    """
    settings = current()
    with closing(connect(settings)) as connection:
        cycle = cycle_of(connection, cycle_id)
        if cycle.step != name:
            return None  # a try whose answer was lost had taken it
        connection.commit()
        try:
            STEPS[cycle.step](connection, settings, cycle)
        except Waiting as waiting:
            connection.commit()
            return str(waiting)
        except Rejected as refusal:
            connection.rollback()
            outcome: Outcome = "refused" if isinstance(refusal, Refused) else "failed"
            finish(connection, cycle, outcome, str(refusal))
        except OpenbookError as error:
            connection.rollback()
            stumble(connection, cycle, str(error))
            connection.commit()
            raise
        connection.commit()
    return None


def _ask(decision_id: int) -> None:
    """Let a form be shown, once a decision, where this run is a deployment's."""
    if deployment.id is None:
        return
    with suppress(ObjectNotFound):  # the command does the same
        run_deployment(
            "approve/on-demand",
            parameters={"decision_id": decision_id},
            timeout=0,
            as_subflow=False,
            idempotency_key=f"decision-{decision_id}",
        )


def _show(connection: Connection, decision_id: int) -> None:
    row = decision(connection, decision_id)
    create_markdown_artifact(
        key="gate-" + row["task"],
        markdown=report(row),
        description=f"{row['candidate']}: {row['outcome']}",
    )


def report_of(cycle: Cycle, waits: str | None = None) -> dict[str, Any]:
    """How a cycle stands, for people and programs."""
    return {
        "cycle": cycle.id,
        "step": cycle.step,
        "outcome": cycle.outcome or "waiting",
        "reasons": [*cycle.reasons, *([waits] if waits else [])],
        "training_run": cycle.training_run_id,
        "candidate": cycle.candidate_id,
        "decision": cycle.decision_id,
    }
