"""`openbook evaluate --answers`: a real model server is asked, and the half to mend is named."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flows.cli import main
from tasks import settings as settings_module
from tests.book import Book
from tests.chat import ChatEndpoint, chat_endpoint
from tests.endpoint import status
from tests.evaluate.reader import read

QUESTIONS = """\
questions:
  - question: What follows the new moon?
    expected_answer: The spring tide.
    sources: [tides.md]
    checks: [{contains: spring tide}, must_cite]
  - question: From where does the trade wind blow?
    expected_answer: From the east.
    sources: [wind.md]
    checks: [{contains: east}, must_cite]
  - question: Which tables stand at the harbour gate?
    sources: [lost.md]
    checks: [{contains: times of ferries}]
  - question: Who wrote about the neap tide?
    sources: [tides.md]
    checks: [{contains: Newton}]
"""


def openbook(*arguments: str) -> Result:
    """A call of the command."""
    return CliRunner().invoke(main, list(arguments))


def told(*arguments: str) -> Any:
    """The JSON of a call that succeeds."""
    result = openbook(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def model(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatEndpoint]:
    """The model that answers: it says the shown sentence that fits best."""
    with chat_endpoint() as endpoint:
        endpoint.reply = read
        monkeypatch.setenv("OPENBOOK_ANSWER_MODEL", "reader-1")
        monkeypatch.setenv("OPENBOOK_ANSWER_URL", endpoint.url)
        settings_module.current.cache_clear()
        yield endpoint


@pytest.fixture
def sea(book: Book, tmp_path: Path) -> Book:
    """A book of the sea, and the golden set about it."""
    book.write(
        "tides.md", "# Tides\n\nThe spring tide follows the new moon.\n\nA neap tide is low.\n"
    )
    book.write("wind.md", "# Wind\n\nThe trade wind does blow steadily from the east.\n")
    book.ingest()
    file = tmp_path / "sea.yaml"
    file.write_text(QUESTIONS)
    told("golden", "import", str(file), "--set", "sea", "--collection", "default")
    return book


def test_answers_are_scored_and_each_failure_names_its_half(sea: Book, model: ChatEndpoint) -> None:
    report = told("evaluate", "--answers", "--golden", "sea")
    assert (report["model"], report["strategy"], report["finished"]) == ("reader-1", "rag", True)
    measures = {name: one["value"] for name, one in report["measures"].items()}
    assert measures["correct"] == 0.5
    assert measures["retrieval_recall"] == 0.75
    assert measures["context_recall"] == 1
    assert measures["citation_recall"] == measures["format"] == 1
    assert report["halves"] == {
        "shown, right": 2,
        "shown, wrong": 1,
        "not shown, right": 0,
        "not shown, wrong": 1,
    }
    failed = {one["question"]: (one["half"], one["missing"]) for one in report["failures"]}
    assert failed == {
        "Which tables stand at the harbour gate?": (
            "retrieval",
            "it does not contain 'times of ferries'; not shown: lost.md",
        ),
        "Who wrote about the neap tide?": ("unclear", "it does not contain 'Newton'"),
    }
    with sea.connect() as connection:
        rows = connection.execute("select question, half from analytics.answer_failures").fetchall()
        assert dict(rows) == {asked: half for asked, (half, _) in failed.items()}
        kept = connection.execute(
            "select measure, value from analytics.answer_evaluations where name = 'sea'"
        ).fetchall()
        assert dict(kept) == measures


def test_nothing_of_an_examination_is_logged_as_asked(sea: Book, model: ChatEndpoint) -> None:
    told("evaluate", "--answers", "--golden", "sea")
    with sea.connect() as connection:
        assert connection.execute("select from conversations").rowcount == 0
        assert connection.execute("select from search_log").rowcount == 0


def test_a_second_examination_is_compared_with_the_first(sea: Book, model: ChatEndpoint) -> None:
    first = told("evaluate", "--answers", "--golden", "sea")
    assert first["against"] is None
    model.reply = lambda body: read(body).replace("east", "west")
    second = told("evaluate", "--answers", "--golden", "sea")
    assert second["against"]["id"] == first["id"]
    found = second["against"]["measures"]["correct"]
    assert (found["difference"], found["higher"], found["lower"]) == (-0.25, 0, 1)
    shown = openbook("evaluate", "--answers", "--golden", "sea", "--against", str(first["id"]))
    assert "against examination 1" in shown.output
    assert (
        "search did not show the answer for 1 failure, the model had it for 1 failure, no expected"
        " answer tells for 1 failure"
    ) in " ".join(shown.output.split())


def test_a_judge_compares_both_examinations(
    sea: Book, model: ChatEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("evaluate", "--answers", "--golden", "sea")
    model.reply = lambda body: read(body).replace("east", "west")
    with chat_endpoint() as judge:
        judge.reply = lambda _: '{"better": "A", "reason": "It stands first."}'
        monkeypatch.setenv("OPENBOOK_JUDGE_MODEL", "judge-1")
        monkeypatch.setenv("OPENBOOK_JUDGE_URL", judge.url)
        settings_module.current.cache_clear()
        report = told("evaluate", "--answers", "--golden", "sea", "--judge")
        assert len(judge.requests) == 4  # of the two answers that changed
    assert report["unjudged"] == []
    assert report["against"]["preference"]["tie"] == 4


def test_no_answer_is_bought_for_a_judge_that_is_not_there(sea: Book, model: ChatEndpoint) -> None:
    refused = openbook("evaluate", "--answers", "--golden", "sea", "--judge")
    assert refused.exit_code == 1
    assert "No model judges answers" in refused.stderr
    assert model.requests == []


def test_the_oracle_is_shown_the_expected_documents_alone(sea: Book, model: ChatEndpoint) -> None:
    report = told("evaluate", "--answers", "--golden", "sea", "--strategy", "oracle")
    assert "retrieval_recall" not in report["measures"]
    prompts = [body["messages"][-1]["content"] for body in model.requests]
    wind = next(prompt for prompt in prompts if "trade wind blow?" in prompt)
    assert "wind.md" in wind
    assert "tides.md" not in wind


def test_the_model_alone_is_shown_nothing(sea: Book, model: ChatEndpoint) -> None:
    report = told("evaluate", "--answers", "--golden", "sea", "--strategy", "none")
    assert set(report["measures"]) == {"correct", "exact", "token_f1", "refusal"}
    assert all("<passage" not in body["messages"][-1]["content"] for body in model.requests)


def test_an_item_that_fails_is_named_and_asked_again(sea: Book, model: ChatEndpoint) -> None:
    model.then(*[status(401)] * 1)
    result = openbook("evaluate", "--answers", "--golden", "sea", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert not report["finished"]
    (one,) = report["unanswered"]
    assert "401" in one["reason"]
    again = told("evaluate", "--answers", "--golden", "sea")
    assert (again["id"], again["finished"]) == (report["id"], True)
    assert len(model.requests) == 5


EXAMINE = """
from flows.examine import ask_all, serving_model
from tasks.database import connect
from tasks.evaluate.golden.store import golden_set
from tasks.settings import current

connection = connect(current(), autocommit=True)
model = serving_model(connection, current())
ask_all(connection, current(), golden_set(connection, "sea"), model, "rag")
"""
"""What the flow does, without the wait for a Prefect server of its own."""


def test_an_examination_that_was_killed_goes_on(sea: Book, model: ChatEndpoint) -> None:
    answered = 0

    def stall(body: Any) -> str:
        nonlocal answered
        answered += 1
        if answered > 2:
            time.sleep(3600)
        return read(body)

    model.reply = stall
    with subprocess.Popen([sys.executable, "-c", EXAMINE]) as child, sea.connect() as connection:
        connection.autocommit = True
        count = "select count(*) from answer_results"
        until = time.monotonic() + 120
        while connection.execute(count).fetchone() != (2,) and time.monotonic() < until:
            time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        assert connection.execute(count).fetchone() == (2,)
    model.reply = read
    asked = len(model.requests)
    report = told("evaluate", "--answers", "--golden", "sea")
    assert (report["id"], report["finished"]) == (1, True)
    assert len(model.requests) - asked == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--golden", "nothing"], "no golden set 'nothing'"),
        (["--golden", "sea", "--model", "unknown@3"], "There is no model unknown@3"),
        (["--golden", "sea", "--against", "99"], "there is no examination 99"),
    ],
)
def test_what_is_not_there_is_named(
    sea: Book, model: ChatEndpoint, arguments: list[str], message: str
) -> None:
    result = openbook("evaluate", "--answers", *arguments)
    assert result.exit_code == 1
    assert message in result.stderr


def test_without_a_model_it_says_which_setting_gives_one(sea: Book) -> None:
    result = openbook("evaluate", "--answers", "--golden", "sea")
    assert result.exit_code == 1
    assert "Set OPENBOOK_ANSWER_MODEL" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["--answers", "here"], ["--golden", "sea", "--strategy", "rag"]]
)
def test_options_that_do_not_go_together_are_refused(arguments: list[str]) -> None:
    assert openbook("evaluate", *arguments).exit_code == 2
