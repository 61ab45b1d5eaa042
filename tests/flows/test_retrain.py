"""From conversations to a model that answers, by the command line, on a provider of loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

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
