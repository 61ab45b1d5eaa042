"""What `openbook deploy` makes of a real Prefect server, and what a real worker then does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest
import yaml
from click.testing import CliRunner
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterDeploymentId,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.exceptions import PrefectHTTPStatusError
from prefect.settings import PREFECT_API_URL
from prefect.states import Completed, Crashed, Failed, Running

from flows.automations import FILE as AUTOMATIONS
from flows.cli import main
from flows.deployments import FILE
from flows.rerun import rerun
from flows.up import _Book
from tasks import settings as settings_module
from tasks.settings import variables
from tests.book import Book

Found = TypeVar("Found")
_PATIENCE_SECONDS = 150


@pytest.fixture
def client(prefect_server: None) -> Iterator[SyncPrefectClient]:
    with get_client(sync_client=True) as client:
        yield client


def deploy(*arguments: str) -> Any:
    result = CliRunner().invoke(main, ["deploy", "--json", *arguments])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def wait_for(look: Callable[[], Found]) -> Found:
    """What `look` says when it says something."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert found, "it did not happen in time"
    return found


def runs(client: SyncPrefectClient, deployment: str) -> list[FlowRun]:
    """The deployment's runs, scheduled ones included."""
    found = client.read_deployment_by_name(deployment)
    only = FlowRunFilterDeploymentId(any_=[found.id])
    return client.read_flow_runs(flow_run_filter=FlowRunFilter(deployment_id=only))


def start(client: SyncPrefectClient, deployment: str, **parameters: Any) -> FlowRun:
    """A run of the deployment, asked of the API."""
    found = client.read_deployment_by_name(deployment)
    return client.create_flow_run_from_deployment(found.id, parameters=parameters)


@contextmanager
def worker() -> Iterator[None]:
    """A worker in an environment of its own, and in no folder of ours."""
    environment = {
        **os.environ,
        "PREFECT_API_URL": str(PREFECT_API_URL.value()),
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": str(FILE.parent.parent),
    }
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "openbook"]
    process = subprocess.Popen(command, env=environment, cwd="/", stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def test_every_flow_is_registered_with_what_its_parameters_mean(
    book: Book, client: SyncPrefectClient
) -> None:
    book.ingest()
    done = deploy()
    assert {name.partition("/")[0] for name in done["deployments"]} == {
        "ingest", "conversations", "maintain", "verify", "evaluate", "curate", "reembed", "rerun",
        "retrain", "approve", "retire-watch", "examine", "advise", "answer",
    }  # fmt: skip
    kept = client.read_deployment_by_name("ingest/drop")
    assert kept.parameters == {"folder": str(book.drop)}
    assert kept.concurrency_options is not None
    assert kept.concurrency_options.collision_strategy == "CANCEL_NEW"
    for name in done["deployments"]:
        found = client.read_deployment_by_name(name)
        assert found.description
        assert found.work_pool_name == "openbook"
        trains = name.startswith("retrain/")
        assert found.work_queue_name == ("training" if trains else "default")
        assert found.enforce_parameter_schema
        for parameter, said in (found.parameter_openapi_schema or {})["properties"].items():
            assert said.get("description"), f"{name} does not say what {parameter} is"


def test_scheduled_deployments_get_their_runs(book: Book, client: SyncPrefectClient) -> None:
    book.ingest()
    deploy()
    for deployment in ("maintain/nightly", "ingest/drop"):  # one by cron, one by interval
        assert wait_for(lambda name=deployment: runs(client, name))[0].auto_scheduled


def test_deploying_again_changes_nothing_that_a_person_did(
    book: Book, client: SyncPrefectClient
) -> None:
    book.ingest()
    before = deploy()
    nightly = client.read_deployment_by_name("maintain/nightly")
    client.update_deployment_schedule(nightly.id, nightly.schedules[0].id, active=False)
    silenced = client.read_automations_by_name(before["automations"][3])[0]
    client.pause_automation(silenced.id)
    changed = automations(client)
    assert deploy() == before
    assert automations(client) == changed, "one that is changed forgets what it waits for"
    again = client.read_deployment_by_name("maintain/nightly")
    assert (again.id, [one.active for one in again.schedules]) == (nightly.id, [False])
    (automation,) = client.read_automations_by_name(before["automations"][3])
    assert (automation.id, automation.enabled) == (silenced.id, False)


def automations(client: SyncPrefectClient) -> dict[str, str]:
    """When each automation was last changed."""
    found = client.request("POST", "/automations/filter", json={}).json()
    return {one["name"]: one["updated"] for one in found}


def test_status_tells_of_a_deployment_whose_last_run_failed(
    book: Book, client: SyncPrefectClient
) -> None:
    deploy()
    run = start(client, "maintain/nightly")
    client.set_flow_run_state(run.id, Failed(message="no disk"), force=True)
    status = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)
    assert status["problems"] == ["maintain/nightly: its last run failed: no disk"]
    again = start(client, "maintain/nightly")
    client.set_flow_run_state(again.id, Completed(), force=True)
    assert json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)["problems"] == []


def test_what_left_the_file_is_removed_and_what_others_deployed_is_not(
    book: Book, client: SyncPrefectClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()
    client.create_deployment(client.create_flow_from_name("ingest"), "theirs")
    content = yaml.safe_load(FILE.read_text())
    content["deployments"] = content["deployments"][:1]
    content["each"] = {}
    shorter = tmp_path / "shorter.yaml"
    shorter.write_text(yaml.safe_dump(content))
    monkeypatch.setenv("OPENBOOK_DEPLOYMENTS", str(shorter))
    settings_module.current.cache_clear()
    done = deploy()
    assert done["deployments"] == ["ingest/on-demand"]
    assert "maintain/nightly" in done["removed"]
    left = {one.name for one in client.read_deployments()}
    assert left == {"on-demand", "theirs"}
    environment = {**variables(), "PREFECT_API_URL": str(PREFECT_API_URL.value())}
    kept = _Book(settings_module.current(), environment)
    assert kept.register(Event()), "what `up` registers for the same settings"
    assert {one.name for one in client.read_deployments()} == left


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("deployments: [{name: a, work_pool: {name: p}}]", "lacks entrypoint"),
        ("deployments: [{name: a, entrypoint: b, work_pool: {name: p}, cron: x}]", "unknown key"),
        ("deployments: [{name: a, entrypoint: flows.x:y, work_pool: {name: p}}]", "is no flow"),
        ("each: {folder: []}", "each"),
        ("{", "no YAML"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_place(
    book: Book, tmp_path: Path, text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    monkeypatch.setenv("OPENBOOK_DEPLOYMENTS", str(file))
    settings_module.current.cache_clear()
    result = CliRunner().invoke(main, ["deploy"])
    assert result.exit_code == 1
    assert said in result.output


def test_a_worker_does_what_the_api_asks_and_leaves_artifacts(
    book: Book, client: SyncPrefectClient
) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    book.write("broken.pdf", b"%PDF-1.4 and no more")
    deploy()
    with worker():
        run = start(client, "ingest/on-demand", folder=str(book.drop), language="english")
        state = wait_for(lambda: final_state(client, run))
    assert state == StateType.COMPLETED
    assert [hit.path for hit in book.search("spring tide")] == ["tides.md"]
    left = {
        one["key"]: one["data"]
        for one in client.request(
            "POST",
            "/artifacts/filter",
            json={"artifacts": {"flow_run_id": {"any_": [str(run.id)]}}},
        ).json()
    }
    assert "broken.pdf" in left["ingest-drop-rejected"]
    assert "ingest-drop" in left


def final_state(client: SyncPrefectClient, run: FlowRun) -> StateType | None:
    state = client.read_flow_run(run.id).state
    return state.type if state and state.is_final() else None


def test_wrong_parameters_are_refused_by_the_server_by_name(
    book: Book, client: SyncPrefectClient
) -> None:
    deploy()
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("ingest/on-demand", {}, "folder"),
        ("ingest/on-demand", {"folder": ""}, "folder"),
        ("ingest/on-demand", {"folder": "/a", "readers": "public"}, "readers"),
        ("ingest/on-demand", {"folder": "/a", "colour": "red"}, "colour"),
        ("maintain/nightly", {"retention_days": -1}, "retention_days"),
        ("reembed/on-demand", {"tokens_per_minute": 0}, "tokens_per_minute"),
    ]
    for deployment, parameters, said in wrong:
        with pytest.raises(PrefectHTTPStatusError) as refused:
            start(client, deployment, **parameters)
        assert refused.value.response.status_code == 409
        assert said in refused.value.response.text


def test_a_crashed_run_is_given_to_rerun_by_the_server(
    book: Book, client: SyncPrefectClient
) -> None:
    deploy()
    run = start(client, "maintain/nightly")
    client.set_flow_run_state(run.id, Crashed(message="killed"), force=True)
    asked = wait_for(lambda: [r for r in runs(client, "rerun/on-event") if mine(r, run)])
    assert len(asked) == 1
    assert "is run again at" in rerun(run.id)
    again = client.read_flow_run(run.id).state
    assert again is not None
    assert again.name == "AwaitingRetry"


def mine(asked: FlowRun, run: FlowRun) -> bool:
    return asked.parameters == {"run": str(run.id)}


def test_a_run_is_run_again_twice_and_then_left(book: Book, client: SyncPrefectClient) -> None:
    deploy()
    run = start(client, "ingest/on-demand", folder="/nowhere")
    said = []
    for _ in range(3):
        client.set_flow_run_state(run.id, Running(), force=True)
        client.set_flow_run_state(run.id, Crashed(message="killed"), force=True)
        said.append(rerun(run.id))
    assert ["is run again at" in one for one in said] == [True, True, False]


@pytest.mark.parametrize(
    ("message", "again"),
    [
        ("Flow run encountered an exception: Retryable: the database failed", True),
        ("Flow run encountered an exception: Fatal: no such folder", False),
    ],
)
def test_a_failed_run_is_run_again_only_if_its_cause_may_pass(
    book: Book, client: SyncPrefectClient, message: str, again: bool
) -> None:
    deploy()
    run = start(client, "ingest/on-demand", folder="/nowhere")
    client.set_flow_run_state(run.id, Failed(message=message), force=True)
    assert ("is run again at" in rerun(run.id)) is again


def test_every_automation_runs_what_is_deployed(book: Book, client: SyncPrefectClient) -> None:
    specs = book.settings.home / "specs"
    specs.mkdir(parents=True)
    (specs / "support.yaml").write_text("name: support\nkind: sft\n")
    deploy()
    due = client.read_deployment_by_name("curate/support")
    told = "openbook: what was said may make a dataset due"
    (automation,) = client.read_automations_by_name(told)
    assert [one.deployment_id for one in automation.actions] == [due.id]  # type: ignore[union-attr]
    names = {one["name"] for one in yaml.safe_load(AUTOMATIONS.read_text())["automations"]}
    assert {one.name for one in client.read_automations()} >= names
