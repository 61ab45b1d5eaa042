"""Bring a Prefect server in step with the deployments and automations that there are to be.

What is registered and unchanged stays as it is, pauses included. What has the tag `openbook` and is
not to be is removed; what others deployed is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import (
    DeploymentScheduleCreate,
    DeploymentScheduleUpdate,
    DeploymentUpdate,
    WorkPoolCreate,
)
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import SCHEDULE_TYPES, construct_schedule
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.automations import register_automations
from flows.deployments import Deployment
from tasks.errors import Fatal, Retryable

_TAG = "openbook"
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Registration:
    """Names of what the server now has, `flow/deployment` each, and of what was removed."""

    deployments: tuple[str, ...]
    removed: tuple[str, ...]
    automations: tuple[str, ...]


def register(wanted: Sequence[Deployment]) -> Registration:
    """Make, change and remove deployments, then automations, on the server that Prefect knows.

    Work pools are made where they are missing. Raises Fatal for what the server refuses, naming the
    deployment, and Retryable when it does not answer.
    """
    try:
        with get_client(sync_client=True) as client:
            for pool in {str(one.work_pool["name"]) for one in wanted}:
                _ensure_pool(client, pool)
            registered = {_register(client, one): None for one in wanted}
            removed = _remove_others(client, registered.keys())
            automations = register_automations(client)
    except PrefectHTTPStatusError as error:
        raise Fatal(
            f"Prefect's server refuses what is to be deployed: {_said(error)}", "Correct it."
        ) from error
    except HTTPError as error:
        raise Retryable(
            f"Prefect's server does not answer: {error or type(error).__name__}",
            "See that it runs and that PREFECT_API_URL is its address.",
        ) from error
    return Registration(tuple(registered), tuple(removed), tuple(automations))


def _ensure_pool(client: SyncPrefectClient, name: str) -> None:
    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=name, type="process", base_job_template=template)
        )


def _register(client: SyncPrefectClient, wanted: Deployment) -> str:
    """Make or change the deployment; its name with its flow's."""
    flow = _flow(wanted)
    name = f"{flow.name}/{wanted.name}"
    limit = dict(wanted.concurrency_limit or {})
    values: dict[str, Any] = {
        "version": version("openbook"),
        "description": wanted.description,
        "tags": sorted({_TAG, *wanted.tags}),
        "parameters": dict(wanted.parameters),
        "work_pool_name": wanted.work_pool["name"],
        "work_queue_name": wanted.work_pool.get("work_queue_name"),
        "job_variables": wanted.work_pool.get("job_variables") or {},
        "entrypoint": wanted.entrypoint,
        "enforce_parameter_schema": True,
        "parameter_openapi_schema": {
            **parameter_schema(flow).model_dump(exclude_unset=True),
            "additionalProperties": False,
        },
        "pull_steps": [],
        "concurrency_limit": limit.pop("limit", None),
        "concurrency_options": ConcurrencyOptions(**limit) if limit else None,
    }
    try:
        known = client.read_deployment_by_name(name)
    except ObjectNotFound:
        schedules = [
            DeploymentScheduleCreate(schedule=_schedule(one), active=True, slug=one["slug"])
            for one in wanted.schedules
        ]
        client.create_deployment(
            client.create_flow_from_name(flow.name), wanted.name, schedules=schedules, **values
        )
        return name
    # Without `active`, the server keeps a pause.
    updates = [
        DeploymentScheduleUpdate(schedule=_schedule(one), slug=one["slug"])
        for one in wanted.schedules
    ]
    client.update_deployment(known.id, DeploymentUpdate(schedules=updates, **values))
    slugs = {one["slug"] for one in wanted.schedules}
    for schedule in known.schedules:
        if schedule.slug not in slugs:
            client.delete_deployment_schedule(known.id, schedule.id)
    return name


def _flow(wanted: Deployment) -> Flow[..., Any]:
    module, _, name = wanted.entrypoint.partition(":")
    try:
        flow = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError):
        flow = None
    if not isinstance(flow, Flow):
        raise Fatal(
            f"{wanted.entrypoint} of the deployment {wanted.name} is no flow",
            "Write module:flow, such as flows.ingest:ingest.",
        )
    return flow


def _schedule(given: Any) -> SCHEDULE_TYPES:
    return construct_schedule(
        cron=given.get("cron"),
        interval=given.get("interval"),
        rrule=given.get("rrule"),
        timezone=given.get("timezone"),
    )


def _remove_others(client: SyncPrefectClient, wanted: Any) -> list[str]:
    """Remove the deployments of ours that are not wanted; their names."""
    ours = DeploymentFilter(tags=DeploymentFilterTags(all_=[_TAG]))
    removed, offset = [], 0
    flows: dict[Any, str] = {}
    while found := client.read_deployments(deployment_filter=ours, limit=_PAGE, offset=offset):
        offset += len(found)
        for one in found:
            if one.flow_id not in flows:
                flows[one.flow_id] = client.read_flow(one.flow_id).name
            name = f"{flows[one.flow_id]}/{one.name}"
            if name not in wanted:
                client.delete_deployment(one.id)
                removed.append(name)
                offset -= 1
    return removed


def _said(error: PrefectHTTPStatusError) -> str:
    try:
        return str(error.response.json()["detail"])
    except (ValueError, KeyError):
        return str(error)
