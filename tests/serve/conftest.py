"""A real server on loopback over a book that the test fills."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Thread
from typing import Any

import httpx
import pytest
import uvicorn
from openai import OpenAI

from flows.ask import keep, prepare
from tasks.answer.answer import complete
from tasks.retrieve.search import act_for, search
from tasks.retrieve.why import why
from tasks.serve.access import Doorkeeper, add_token, tokens_file
from tasks.serve.app import configuration, create_app
from tasks.serve.library import Answering, Retrieval
from tasks.serve.limits import Limits
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf, shelf

__all__ = ["shelf"]

RETRIEVAL = Retrieval(search=search, why=why, act_for=act_for)
ANSWERING = Answering(prepare=prepare, write=complete, log=keep)
GENEROUS = Limits(rate=1000.0, seconds=30.0)


class Served:
    """A running server: plain requests, OpenAI's client, and new tokens for both."""

    def __init__(self, settings: Settings, address: str) -> None:
        self.settings = settings
        self.address = address

    def token(self, name: str = "ann", **may: Any) -> str:
        """A new token; it may see everything unless the test says otherwise."""
        options = {"principals": None, "collections": None, **may}
        return add_token(tokens_file(self.settings), name, **options)

    def get(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, token, **options)

    def post(self, path: str, token: str | None = None, **options: Any) -> httpx.Response:
        """POST."""
        return self.request("POST", path, token, **options)

    def request(
        self, method: str, path: str, token: str | None = None, **options: Any
    ) -> httpx.Response:
        """One request, with the token if one is given."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        headers |= options.pop("headers", {})
        with httpx.Client(trust_env=False, timeout=60) as client:
            return client.request(method, self.address + path, headers=headers, **options)

    def openai(self, token: str = "none") -> OpenAI:
        """OpenAI's own client, pointed here."""
        return OpenAI(
            base_url=f"{self.address}/v1",
            api_key=token,
            max_retries=0,
            timeout=60,
        )


@contextmanager
def serving(settings: Settings, limits: Limits = GENEROUS) -> Iterator[Served]:
    """A server in a thread of this process, until the block ends."""
    app = create_app(settings, RETRIEVAL, ANSWERING, limits, Doorkeeper(tokens_file(settings)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(configuration(app, limits))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Served(settings, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join()


class Serve:
    """Starts servers over the test's database, which end with the test."""

    def __init__(self, settings: Settings, stack: ExitStack) -> None:
        self.settings = settings
        self._stack = stack

    def __call__(self, **limits: Any) -> Served:
        """A server with these limits."""
        return self._stack.enter_context(serving(self.settings, replace(GENEROUS, **limits)))


@pytest.fixture
def serve(database: Settings) -> Iterator[Serve]:
    """What starts a server with limits of its own, before or after tokens were made."""
    with ExitStack() as stack:
        yield Serve(database, stack)


@pytest.fixture
def served(serve: Serve) -> Served:
    """A server without tokens over an empty book."""
    return serve()


@pytest.fixture
def stocked(shelf: Shelf) -> Shelf:
    """Three documents about the sea, with vectors."""
    shelf.put(
        "tides.md",
        "The spring tide follows the new moon.",
        "A neap tide comes with the half moon.",
        title="Tides",
        format="md",
        metadata={"author": "Ann", "year": 2021, "tags": ["sea", "moon"]},
    )
    shelf.put(
        "wind.pdf",
        "The trade wind blows steady over the sea.",
        title="Wind",
        format="pdf",
        metadata={"author": "Ben", "year": 2024, "draft": True},
    )
    shelf.put("logs/sea.txt", "The sea was calm at the new moon.", metadata={"year": 2023})
    shelf.embed()
    return shelf
