"""The advice by hand, as a flow, and as the page that a person opens."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.cli import main
from tasks import settings as settings_module
from tests.advise.conftest import Installation
from tests.book import Book
from tests.chat import ChatEndpoint, chat_endpoint
from tests.datasets.conftest import Log
from tests.endpoint import status
from tests.evaluate.reader import read
from tests.flows.test_curate import artifact
from tests.flows.test_examine import QUESTIONS


def test_the_advice_is_printed_and_kept_as_a_page(book: Book) -> None:
    empty = CliRunner().invoke(main, ["advise"])
    assert empty.exit_code == 0, empty.output
    assert "nothing to judge by" in empty.output
    with book.connect() as connection:
        there = Installation(connection, book.settings)
        there.corpus(4)
        there.history(days=60, changed=0)
        there.searched(20)
        there.retrieval(0.95)
    printed = CliRunner().invoke(main, ["advise", "--json", "--assume", "window=100000"])
    assert printed.exit_code == 0, printed.output
    assert json.loads(printed.stdout)["recommendation"] == "long-context"
    page = artifact("advise-answer-default")
    assert "**long-context**" in page
    assert "data:image/svg+xml;base64," in page
    for_people = CliRunner().invoke(main, ["advise", "--assume", "window=10"])
    assert for_people.output.startswith("rag · confidence")
    assert "Latency, median: not known" in for_people.output
    assert "## Latency" in page
    unknown, _, known = for_people.output.rpartition("Not known, and what measures it:")
    assert "whether answers have to cite:" in known
    assert "answers have to cite" not in unknown
    wrong = CliRunner().invoke(main, ["advise", "--assume", "colour=1"])
    assert (wrong.exit_code, "knows no 'colour'" in wrong.stderr) == (1, True)
    nowhere = CliRunner().invoke(main, ["advise", "--collection", "nowhere"])
    assert (nowhere.exit_code, "no collection 'nowhere'" in nowhere.stderr) == (1, True)


def test_what_can_be_assumed_is_listed_with_the_values_that_hold(book: Book) -> None:
    shown = CliRunner().invoke(main, ["advise", "--assume", "?", "--assume", "window=77"])
    assert shown.exit_code == 0
    assert "window=77 (given)" in shown.output
    assert "queries_per_day=100 (assumed)" in shown.output
    assert "oracle_gap=0.1 (threshold)" in shown.output
    override = CliRunner().invoke(main, ["advise", "--assume", "?", "--assume", "oracle_gap=.5"])
    assert "oracle_gap=0.5 (" in override.output
    listed = CliRunner().invoke(main, ["advise", "--assume", "?", "--json"])
    assert json.loads(listed.stdout)["assumptions"]["window"]["origin"] == "assumed"


@pytest.fixture
def sea(book: Book, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ChatEndpoint]:
    """Documents, a golden set about them, and the model that is asked."""
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    book.write("wind.md", "# Wind\n\nThe trade wind does blow steadily from the east.\n")
    book.ingest()
    file = tmp_path / "sea.yaml"
    file.write_text(QUESTIONS)
    with chat_endpoint() as endpoint:
        endpoint.reply = read
        monkeypatch.setenv("OPENBOOK_ANSWER_MODEL", "reader-1")
        monkeypatch.setenv("OPENBOOK_ANSWER_URL", endpoint.url)
        settings_module.current.cache_clear()
        CliRunner().invoke(
            main, ["golden", "import", str(file), "--set", "sea", "--collection", "default"]
        )
        yield endpoint


def test_an_experiment_asks_the_same_questions_under_every_strategy(sea: ChatEndpoint) -> None:
    printed = CliRunner().invoke(main, ["advise", "--experiment", "sea", "--json"])
    assert printed.exit_code == 0, printed.output
    found = json.loads(printed.stdout)
    conditions = found["experiments"]["conditions"]
    assert conditions.keys() == {"prompt", "rag", "oracle", "long-context"}
    assert conditions["prompt"]["correct"] < conditions["rag"]["correct"]
    assert {one["questions"] for one in conditions.values()} == {4}


def test_an_experiment_whose_questions_get_no_answer_is_no_advice(sea: ChatEndpoint) -> None:
    sea.then(*[status(401)] * 4)
    failed = CliRunner().invoke(main, ["advise", "--experiment", "sea", "--json"])
    assert failed.exit_code == 1
    assert "4 questions of sea got no answer from reader-1" in failed.stderr
    assert "401" in failed.stderr
    assert len(sea.requests) == 4
    sea.refuses_everything = True
    refused = CliRunner().invoke(main, ["advise", "--experiment", "sea", "--json"])
    assert refused.exit_code == 1
    assert "no question of sea was answered under none" in refused.stderr
    assert "content policy" in refused.stderr


def test_an_experiment_about_another_collection_asks_nothing(book: Book, sea: ChatEndpoint) -> None:
    with book.connect() as connection:
        connection.execute("insert into collections (name) values ('other')")
        connection.commit()
    printed = CliRunner().invoke(main, ["advise", "--experiment", "sea", "--collection", "other"])
    assert printed.exit_code == 1
    assert "'sea' is about the collection 'default', not about 'other'" in printed.stderr
    assert sea.requests == []


def test_a_judge_tells_failures_that_nobody_explained_and_is_asked_once(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    with book.connect() as connection:
        log = Log(connection, book.settings)
        for _ in range(2):
            log.judge(log.say("How warm is it?", "Yo! Warm."), "thumb", -1, 2)
    with chat_endpoint() as endpoint:
        endpoint.reply = lambda _: '{"kind": "style"}'
        monkeypatch.setenv("OPENBOOK_JUDGE_MODEL", "judge-1")
        monkeypatch.setenv("OPENBOOK_JUDGE_URL", endpoint.url)
        settings_module.current.cache_clear()
        for _ in range(2):
            printed = CliRunner().invoke(main, ["advise", "--judge", "--json"])
            assert printed.exit_code == 0, printed.output
            (failure,) = json.loads(printed.stdout)["failures"]
            assert (failure["kind"], failure["count"]) == ("style", 2)
        assert len(endpoint.requests) == 2
        assert "Yo! Warm." in str(endpoint.requests[0])
