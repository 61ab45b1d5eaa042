"""What follows from which event: `deployments/automations.yaml`, on a Prefect server.

An automation is known by its name: one that is there is changed and not doubled, stays switched off
where somebody switched it off, and goes when it left the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound

FILE = Path(__file__).resolve().parent.parent / "deployments" / "automations.yaml"
NOTIFICATION_BLOCK = "openbook"
"""The name of the block, of any type that notifies, which a person makes to be told."""

_OURS = "openbook: "


def register_automations(client: SyncPrefectClient) -> list[str]:
    """Bring the server's automations in step with the file; the names of those that there are.

    Deployments must have been registered before. One whose actions have nothing to run yet is made
    all the same and does nothing.
    """
    known = {one.name: one for one in client.read_automations() if one.name.startswith(_OURS)}
    wanted = yaml.safe_load(FILE.read_text(encoding="utf-8"))["automations"]
    for entry in wanted:
        automation = AutomationCore.model_validate(
            {
                **entry,
                "trigger": _flat(entry["trigger"]),
                "actions": [
                    made for action in entry["actions"] for made in _actions(client, action)
                ]
                or [{"type": "do-nothing"}],
            }
        )
        if same := known.pop(entry["name"], None):
            automation.enabled = same.enabled
            if _comparable(same) != _comparable(automation):
                client.update_automation(same.id, automation)
        else:
            client.create_automation(automation)
    for gone in known.values():
        client.delete_automation(gone.id)
    return [entry["name"] for entry in wanted]


def _comparable(automation: AutomationCore) -> dict[str, Any]:
    """What says whether two are the same.

    An automation that is changed forgets which signs of life it waits for: only a difference is
    worth that.
    """
    parts = {"description", "trigger", "actions"}
    values = automation.model_dump(mode="json", include=parts, exclude_none=True)
    for name in ("after", "expect", "for_each"):  # sets, in any order
        values["trigger"][name] = sorted(values["trigger"].get(name, ()))
    return values


def _flat(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """The trigger with what it expects as one list: YAML cannot join two."""
    expect = []
    for one in trigger["expect"]:
        expect += one if isinstance(one, list) else [one]
    return {**trigger, "expect": expect}


def _actions(client: SyncPrefectClient, action: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The action as Prefect has it: for each deployment that it names, or to the person's block."""
    if action["type"] == "send-notification":
        if block := _notification_block(client):
            yield {**action, "block_document_id": block}
    elif "deployments" in action:
        rest = {key: value for key, value in action.items() if key != "deployments"}
        for named in action["deployments"]:
            for found in _deployment_ids(client, named):
                yield {**rest, "source": "selected", "deployment_id": found}
    else:
        yield action


def _deployment_ids(client: SyncPrefectClient, named: str) -> list[str]:
    kind, _, tag = named.partition("tag:")
    if not kind:
        having = DeploymentFilter(tags=DeploymentFilterTags(all_=["openbook", tag]))
        return [str(one.id) for one in client.read_deployments(deployment_filter=having)]
    try:
        return [str(client.read_deployment_by_name(named).id)]
    except ObjectNotFound:
        return []


def _notification_block(client: SyncPrefectClient) -> str | None:
    """The id of the block that the person made to be told."""
    reply = client.request(
        "POST",
        "/block_documents/filter",
        json={
            "block_documents": {"name": {"any_": [NOTIFICATION_BLOCK]}},
            "block_schemas": {"block_capabilities": {"all_": ["notify"]}},
        },
    )
    return next((str(one["id"]) for one in reply.json()), None)
