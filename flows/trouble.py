"""What a run makes of trouble that may pass: a database that died, another run that is at it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.client.schemas.objects import State, TaskRun
from prefect.runtime import deployment, flow_run
from prefect.states import Cancelled
from prefect.tasks import Task
from psycopg import OperationalError
from psycopg.errors import ReadOnlySqlTransaction

from tasks.errors import Retryable


@contextmanager
def explained() -> Iterator[None]:
    """Say in words what the database did to the run; `rerun` goes by the Retryable that it raises.

    It stands around all that a flow does with the database, or whoever waits for the flow is told
    that nothing will help.
    """
    try:
        yield
    except (OperationalError, ReadOnlySqlTransaction) as error:
        raise Retryable(
            f"The database failed while the run went on: {' '.join(str(error).split())}",
            "See to it, then run again; what was done is kept.",
        ) from error


def stand_back(holder: str, remedy: str) -> Any:
    """How a run ends that finds another at its work: cancelled, where a deployment asked for it.

    The other one does the work, so nothing failed. Raises Retryable for whoever asked by hand, and
    for a flow that this one is a part of.
    """
    if deployment.id and not flow_run.parent_flow_run_id:
        return Cancelled(message=holder)
    raise Retryable(holder, remedy)


def may_pass(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Retry a task only for what says that it may pass by itself."""
    return isinstance(state.result(raise_on_failure=False), Retryable)
