"""From conversations to a model that answers, by the command line, on a provider of loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter
from prefect.exceptions import Pause
from prefect.flow_engine import run_flow

from flows.approve import approve
from flows.cli import main
from tasks import settings as settings_module
from tasks.training.hosted.backend import HostedBackend
from tests.book import Book
from tests.training.school import School, environment, furnish, school


def openbook(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def as_json(*arguments: str, exit_code: int = 0) -> Any:
    result = openbook(*arguments, "--json")
    assert result.exit_code == exit_code, result.output
    return json.loads(result.stdout)


@pytest.fixture
def taught(book: Book, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[School]:
    """A book with conversations and golden sets, and a provider."""
    with school(tmp_path) as made:
        for name, value in environment(made).items():
            monkeypatch.setenv(name, value)
        settings_module.current.cache_clear()
        with book.connect() as connection:
            furnish(connection, book.settings)
        yield made


def retrain(made: School, *options: str, exit_code: int = 0) -> Any:
    return as_json("retrain", str(made.spec), "--wait", "1", *options, exit_code=exit_code)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at trainings without a pause, and take what was sent for arrived."""
    monkeypatch.setattr("flows.retrain._LOOK_SECONDS", 0.0)
    monkeypatch.setattr(HostedBackend.__init__, "__defaults__", (None, 0.0))


def test_a_person_is_asked_by_a_form_that_holds_nothing_and_whose_answer_decides(
    taught: School, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    taught.rewrite(approve="true")
    with get_client(sync_client=True) as client:
        flow_id = client.create_flow(approve)
        deployed = client.create_deployment(flow_id, "on-demand")
        monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", str(deployed))
        for _ in range(2):  # one form, however often the cycle looks
            assert retrain(taught)["step"] == "approve"
        (asked,) = client.read_flow_runs(flow_filter=FlowFilter(id={"any_": [flow_id]}))
        work(client, asked.id)
        suspended = client.read_flow_run(asked.id).state
        assert suspended is not None
        assert suspended.name == "Suspended"
        assert retrain(taught)["step"] == "approve"
        client.resume_flow_run(asked.id, run_input={"promote": True, "by": "mara"})
        work(client, asked.id)
    report = retrain(taught)
    assert report["outcome"] == "promoted"
    assert "approved by mara" in report["reasons"]
    with book.connect() as connection:
        row = connection.execute("select approved_by, promoted from gate_decisions").fetchone()
    assert row == ("mara", True)


def work(client: SyncPrefectClient, run_id: UUID) -> None:
    """Do what a worker does with a run that is due."""
    run = client.read_flow_run(run_id)
    with suppress(Pause):
        run_flow(approve, flow_run=run, parameters=run.parameters, return_type="state")


def test_a_better_model_comes_to_answer_and_can_be_rolled_back(taught: School) -> None:
    plan = as_json("retrain", str(taught.spec), "--plan")
    assert "due: yes" in plan["reasons"][0]
    report = retrain(taught)
    assert report["outcome"] == "promoted", report
    assert len(taught.provider.jobs) == 1
    assert as_json("models")["chat"][0]["stage"] == "serving"
    assert as_json("rollback") == {"serving": None, "previous": "helm@1"}
    assert as_json("promote", "helm") == {"serving": "helm@1", "previous": None}
    assert as_json("models", "ends")["ending"] == []
    wrong = openbook("models", "register", "odd", "--model", "a", "--url", "host:8000/v1")
    assert (wrong.exit_code, "neither http://" in wrong.output) == (2, True)
