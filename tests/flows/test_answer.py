"""Answers from the command line and as a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from flows.answer import answer
from tasks.settings import current
from tests.book import Book
from tests.chat import ChatEndpoint, chat_endpoint
from tests.flows.test_cli import TIDES, as_json, openbook

QUESTION = "What follows the new moon?"


@pytest.fixture
def model(book: Book, monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatEndpoint]:
    """A configured model on loopback, over a book about the sea."""
    book.write("tides.md", TIDES)
    book.ingest()
    with chat_endpoint() as endpoint:
        endpoint.reply = lambda _: "The spring tide [1], and more [8]."
        monkeypatch.setenv("OPENBOOK_ANSWER_MODEL", "moon-1")
        monkeypatch.setenv("OPENBOOK_ANSWER_URL", endpoint.url)
        current.cache_clear()
        yield endpoint
    current.cache_clear()


def test_an_answer_names_what_it_cites_and_how_to_go_on(model: ChatEndpoint) -> None:
    result = openbook("answer", QUESTION)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("The spring tide [1], and more.\n")
    assert "[1] tides.md  chunk" in result.stdout
    assert "citations removed: 1" in result.stdout
    name = result.stdout.rpartition("--conversation ")[2].strip()
    told = as_json("answer", "And then?", "--conversation", name, "--collection", "default")
    assert (told["conversation"], told["outcome"]) == (name, "answered")
    assert openbook("answer", "?", "--conversation", "answer-0").exit_code == 1


def test_an_answer_that_cites_nothing_says_so(model: ChatEndpoint) -> None:
    model.reply = lambda _: "The spring tide."
    result = openbook("answer", QUESTION, "--no-log")
    assert "It cites nothing of what it was shown" in result.stdout
    assert "    tides.md" in result.stdout


def test_a_model_that_fails_ends_with_1_and_says_why(model: ChatEndpoint) -> None:
    model.refuses_everything = True
    result = openbook("answer", QUESTION, "--no-log")
    assert result.exit_code == 1
    assert "failed: " in result.stdout
    assert "content policy" in result.stdout


@pytest.mark.parametrize("configured", ["offline", ""])
def test_a_mistyped_model_is_not_looked_for_at_openai(
    book: Book, monkeypatch: pytest.MonkeyPatch, configured: str
) -> None:
    monkeypatch.setenv("OPENBOOK_ANSWER_MODEL", configured)
    monkeypatch.delenv("OPENBOOK_ANSWER_URL", raising=False)
    monkeypatch.setenv("OPENBOOK_ANSWER_KEY", "sk-0")
    current.cache_clear()
    result = openbook("answer", QUESTION, "--model", "smolm2")
    assert result.exit_code == 1
    assert "no model smolm2 in the registry" in result.stderr
    assert "nothing was sent" in result.stderr


def test_a_bare_name_is_the_newest_registered_model_else_one_of_the_endpoint(
    model: ChatEndpoint,
) -> None:
    as_json("models", "register", "support", "--model", "support-7", "--url", model.url)
    for name, asked in (("support", "support-7"), ("moon-2", "moon-2")):
        as_json("answer", QUESTION, "--no-log", "--model", name)
        assert model.requests[-1]["model"] == asked


def test_without_a_model_the_passages_are_shown_and_what_to_set(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    result = openbook("answer", QUESTION, "-k", "1")
    assert result.exit_code == 0
    assert "[1] tides.md · Tides\nThe spring tide follows the new moon." in result.stdout
    assert "OPENBOOK_ANSWER_MODEL" in result.stdout


def test_a_collection_keeps_its_strategy(model: ChatEndpoint) -> None:
    assert as_json("strategy") == {"default": "rag"}
    assert as_json("strategy", "default", "long-context") == {"default": "long-context"}
    assert as_json("answer", QUESTION)["strategy"] == "long-context"
    assert as_json("answer", QUESTION, "--strategy", "none")["strategy"] == "none"
    assert openbook("strategy", "nowhere", "rag").exit_code == 1
    assert openbook("strategy", "default", "luck").exit_code == 2


def test_a_run_reports_its_conversation_and_no_text(model: ChatEndpoint) -> None:
    report: dict[str, Any] = answer(QUESTION)
    assert (report["outcome"], report["removed_citations"]) == ("answered", 1)
    assert report["conversation"].startswith("answer-")
    assert "spring" not in json.dumps(report)
