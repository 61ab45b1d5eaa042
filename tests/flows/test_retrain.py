"""From conversations to a model that answers, by the command line, on a provider of loopback."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter

from flows import retrain as retrain_flow
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


def test_a_run_pauses_for_a_person_whose_word_decides(taught: School, book: Book) -> None:
    taught.rewrite(approve="true")
    with ThreadPoolExecutor(1) as apart, get_client(sync_client=True) as client:
        path = str(taught.spec)
        running = apart.submit(
            copy_context().run, retrain_flow.retrain, spec=path, wait_seconds=60, approve_within=90
        )
        paused = FlowRunFilter(state={"type": {"any_": ["PAUSED"]}})
        while not (found := client.read_flow_runs(flow_run_filter=paused)):
            assert not running.done(), running.result()
            time.sleep(0.2)
        client.resume_flow_run(found[0].id, run_input={"promote": True, "by": "mara"})
        report = running.result(60)
    assert report["outcome"] == "promoted"
    assert "approved by mara" in report["reasons"]
    with book.connect() as connection:
        row = connection.execute("select approved_by, promoted from gate_decisions").fetchone()
    assert row == ("mara", True)


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
