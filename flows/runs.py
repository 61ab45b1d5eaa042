"""How the deployments' last runs ended, as Prefect's server has it."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterDeploymentId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL, temporary_settings

_PAGE = 200
_SHOWN = 300
_ENDED = [StateType.COMPLETED, StateType.FAILED, StateType.CRASHED]
_TAGS = ["openbook", "rerun"]
"""Of what works by itself; what somebody asks for on demand is told to whoever asked."""


def failed_deployments(server: str) -> list[str]:
    """A sentence for each deployment of ours whose last run failed, or for a server that is away.

    Ingest's are left out: the database itself knows how they ended.
    """
    try:
        with (
            temporary_settings({PREFECT_API_URL: server}),
            get_client(sync_client=True) as client,
        ):
            return list(_failures(client))
    except (HTTPError, PrefectHTTPStatusError) as error:
        return [f"Prefect's server at {server} does not answer: {error or type(error).__name__}"]


def _failures(client: SyncPrefectClient) -> Iterator[str]:
    flows: dict[UUID, str] = {}
    for deployment in _deployments(client):
        if deployment.flow_id not in flows:
            flows[deployment.flow_id] = client.read_flow(deployment.flow_id).name
        flow = flows[deployment.flow_id]
        if flow != "ingest" and (said := _failure(client, deployment.id)):
            yield f"{flow}/{deployment.name}: its last run {said}"


def _deployments(client: SyncPrefectClient) -> Iterator[DeploymentResponse]:
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=_TAGS))
    offset = 0
    while found := client.read_deployments(deployment_filter=ours, limit=_PAGE, offset=offset):
        yield from found
        offset += len(found)


def _failure(client: SyncPrefectClient, deployment: UUID) -> str | None:
    ended = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=_ENDED)),
    )
    newest = client.read_flow_runs(flow_run_filter=ended, sort=FlowRunSort.END_TIME_DESC, limit=1)
    state = newest[0].state if newest else None
    if state is None or state.type == StateType.COMPLETED:
        return None
    return f"{state.type.value.lower()}: {' '.join((state.message or '').split())[:_SHOWN]}"
