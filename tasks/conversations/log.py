"""Log what an OpenAI client says and hears, in the background: `client = logged(OpenAI())`.

    with about(user="u-17", conversation="c-4", chunk_ids=[hit.chunk_id for hit in hits]):
        answer = client.chat.completions.create(model=…, messages=…)
    feedback(answer.id, "thumb", 1)

The caller's thread only puts what it has into a bounded queue; what goes wrong from there on is
counted (`counts()`) and never raised.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, wraps
from inspect import isawaitable
from typing import Any, TypeVar

from tasks.conversations.calls import About, Call
from tasks.conversations.values import Json, Kind
from tasks.conversations.writer import Counts, Judgement, Writer

Client = TypeVar("Client")

_about: ContextVar[About | None] = ContextVar("openbook_about", default=None)


def logged(client: Client, writer: Writer | None = None) -> Client:
    """The same client, whose `chat.completions.create` and `responses.create` are logged.

    `client` is an `OpenAI` or `AsyncOpenAI` (or Azure's); streams and tool calls are logged when
    they have ended. A call that raises is not logged and raises as ever. `writer` is where to log;
    unset: one for the process, by its settings.
    """
    to = writer or _shared()
    for resource, api in ((client.chat.completions, "chat"), (client.responses, "responses")):  # type: ignore[attr-defined]
        resource.create = _watched(resource.create, api, to)
    return client


@contextmanager
def about(
    user: str | None = None,
    tenant: str | None = None,
    conversation: str | None = None,
    tags: tuple[str, ...] = (),
    chunk_ids: list[int] | None = None,
) -> Iterator[None]:
    """Say of the calls inside for whom they are, of which conversation, and what was retrieved.

    Without a conversation's id, calls that repeat what was said before to the same user and tenant
    continue that conversation.
    """
    token = _about.set(About(user, tenant, conversation, tuple(tags), chunk_ids))
    try:
        yield
    finally:
        _about.reset(token)


def feedback(
    of: str,
    kind: Kind,
    value: float | None = None,
    *,
    comment: str | None = None,
    alternative: str | Json | None = None,
    source: str | None = None,
    writer: Writer | None = None,
) -> None:
    """Record a judgement of the answer with that response id, else of the conversation of that id.

    Values as in the table `feedback`; an alternative answer may be given as its text.
    """
    message = alternative
    if isinstance(alternative, str):
        message = {"role": "assistant", "content": alternative}
    (writer or _shared()).offer(
        Judgement(of, kind, value, comment, message, source)  # type: ignore[arg-type]
    )


def counts() -> Counts:
    """What became of the calls and judgements of this process so far."""
    return _shared().counts


def flush(seconds: float = 5.0) -> bool:
    """Wait until everything offered so far is stored; whether it was within the seconds."""
    return _shared().flush(seconds)


@cache
def _shared() -> Writer:
    writer = Writer()
    atexit.register(writer.close)
    return writer


def _watched(create: Callable[..., Any], api: str, writer: Writer) -> Callable[..., Any]:
    """`create`, followed by an offer to the writer."""

    @wraps(create)
    def watched(*args: Any, **request: Any) -> Any:
        started = time.perf_counter()
        call = Call(api, _copied(request), _about.get() or About(), time.time(), started)
        response = create(*args, **request)
        if isawaitable(response):
            return _noted_later(response, call, writer)
        return _noted(response, call, writer)

    return watched


async def _noted_later(response: Awaitable[Any], call: Call, writer: Writer) -> Any:
    return _noted(await response, call, writer)


def _noted(response: Any, call: Call, writer: Writer) -> Any:
    """The response as it was; a stream is offered to the writer when it ends or is closed."""
    with suppress(Exception):  # what we did not foresee is not the application's concern
        iterator = getattr(response, "_iterator", None)
        if iterator is None:
            writer.offer(call.answered(response))
            return response
        ear = _Ear(call, writer)
        close = response.close
        if hasattr(iterator, "__anext__"):
            response._iterator = ear.listen_async(iterator)
        else:
            response._iterator = ear.listen(iterator)

        def closed() -> Any:
            ear.end()
            return close()

        response.close = closed
    return response


def _copied(request: Json) -> Json:
    """The request as it is now: applications go on appending to its list of messages."""
    return {
        name: list(value) if isinstance(value, list) else value for name, value in request.items()
    }


class _Ear:
    """Hears a stream while the application reads it, and offers it once."""

    def __init__(self, call: Call, writer: Writer) -> None:
        self._call = call
        self._writer = writer
        self._events: list[Any] = []
        self._ended = False

    def listen(self, iterator: Iterator[Any]) -> Iterator[Any]:
        try:
            for event in iterator:
                self._events.append(event)
                yield event
        finally:
            self.end()

    async def listen_async(self, iterator: AsyncIterator[Any]) -> AsyncIterator[Any]:
        try:
            async for event in iterator:
                self._events.append(event)
                yield event
        finally:
            self.end()

    def end(self) -> None:
        if not self._ended:
            self._ended = True
            self._writer.offer(self._call.streamed(self._events))
