"""A shelf of documents, a chat model on loopback, and questions between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from flows.ask import answer
from tasks.records import Answer
from tasks.settings import Settings
from tests.chat import ChatEndpoint, chat_endpoint
from tests.retrieve.conftest import Shelf, shelf

__all__ = ["shelf"]

Ask = Callable[..., Answer]


@pytest.fixture
def model() -> Iterator[ChatEndpoint]:
    """A chat model that cites the first passage."""
    with chat_endpoint() as endpoint:
        endpoint.reply = lambda _: "The spring tide follows the new moon [1]."
        yield endpoint


@pytest.fixture
def configured(database: Settings, model: ChatEndpoint) -> Settings:
    """Settings that name the model on loopback."""
    return replace(database, answer_model="moon-1", answer_url=model.url, answer_key="sk-0")


@pytest.fixture
def tides(shelf: Shelf) -> Shelf:
    """Two documents about the sea, with vectors."""
    shelf.put(
        "tides.md",
        "The spring tide follows the new moon and the full moon.",
        "A neap tide comes with the half moon.",
        "Harbours post the tables of tides at the gate.",
        title="Tides",
        format="md",
        readers=["public"],
    )
    shelf.put("wind.txt", "The trade wind blows steady over the sea.", readers=["group:sail"])
    shelf.embed()
    return shelf


@pytest.fixture
def ask(configured: Settings, tides: Shelf) -> Ask:
    """Asks about the tides."""

    def asked(question: str = "What follows the new moon?", **options: Any) -> Answer:
        options = {"settings": configured, "connection": tides.connection, **options}
        return answer(question, **options)

    return asked
