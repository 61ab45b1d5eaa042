"""Run a run again that was killed, or that could not work then."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import flow, get_run_logger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.objects import State, StateType
from prefect.states import AwaitingRetry

_TIMES = 2
"""How often a run is run again."""
_PAUSE = timedelta(seconds=30)


@flow(name="rerun", flow_run_name="rerun {run}")
def rerun(run: UUID) -> str:
    """Schedule a run that crashed or failed once more, with its own parameters; what was done.

    It is run again twice at most. One that failed is run again only if it failed for what may pass,
    such as a database that was away: nothing else would help.

    Args:
        run: The id of the flow run.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_run(run)
        state = found.state
        if state is None or state.type not in {StateType.CRASHED, StateType.FAILED}:
            said = f"{found.name} is {state.name if state else 'new'}, and is left alone"
        elif state.type == StateType.FAILED and "Retryable" not in (state.message or ""):
            said = f"{found.name} failed for what will not pass by itself, and is left as it is"
        elif (times := _times(client, run)) >= _TIMES:
            said = f"{found.name} was run again {times} times, and is left as it is"
        else:
            when = datetime.now(UTC) + _PAUSE * (times + 1)
            again: State[Any] = AwaitingRetry(
                scheduled_time=when, message=f"Run again after: {state.name}."
            )
            client.set_flow_run_state(run, again, force=True)
            said = f"{found.name} is run again at {when:%H:%M:%S} UTC"
    get_run_logger().info(said)
    return said


def _times(client: SyncPrefectClient, run: UUID) -> int:
    """How often the run was set to be run again; its own count leaves out what never started."""
    states = client.read_flow_run_states(run)
    return sum(state.name == "AwaitingRetry" for state in states)
