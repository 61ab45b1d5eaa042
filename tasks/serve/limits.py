"""How much one caller may ask for, and how much all of them together."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TypeVar

import anyio
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tasks.serve.errors import Refusal, answer, too_long

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one server. What depends on the machine and its users is an option of `serve`."""

    concurrency: int = 8
    """Searches side by side, and connections to the database."""
    rate: float = 20.0
    """Requests a second that one token may make in the long run; twice as many at once."""
    seconds: float = 10.0
    """The longest that a request may take."""
    waiting: int = 64
    """Requests that wait for their turn before others are turned away."""
    body_bytes: int = 262_144
    query_characters: int = 8_000
    queries: int = 8
    hits: int = 100
    depth: int = 1000
    """The last place that paging reaches."""

    def reach(self, offset: int, hits: int) -> int:
        """How many hits to ask for behind `offset`: one more than the page, to know of another.

        There is no page behind the last place, and the page that reaches it may be shorter.
        """
        return min(hits + 1, self.depth - offset)


class Rate:
    """A token bucket a caller: full at first, refilled `rate` times a second up to `2 * rate`."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._most = max(1.0, 2 * rate)
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = Lock()

    def take(self, name: str) -> None:
        """Count one request; raises Refusal, with the seconds to wait, when there were too many."""
        now = self._clock()
        with self._lock:
            filled, then = self._buckets.get(name, (self._most, now))
            filled = min(self._most, filled + (now - then) * self._rate)
            enough = filled >= 1
            self._buckets[name] = (filled - enough, now)
        if not enough:
            raise Refusal(
                429,
                f"too many requests: {self._rate:g} a second are allowed",
                "Wait as long as the header Retry-After says.",
                code="rate_limit_exceeded",
                retry_after=math.ceil((1 - filled) / self._rate),
            )


class Turns:
    """Runs blocking reads in threads: so many at once, a few waiting, the rest turned away."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._limiter = anyio.CapacityLimiter(limits.concurrency)

    async def run(self, read: Callable[[], Answer]) -> Answer:
        """What `read` returns; raises Refusal when it is not its turn, or not done, in time."""
        if self._limiter.statistics().tasks_waiting >= self._limits.waiting:
            raise _busy()
        begun = False

        def begin() -> Answer:
            nonlocal begun
            begun = True
            return read()

        with anyio.move_on_after(self._limits.seconds):
            # A thread that is left behind ends soon: the server cancels its statement.
            return await anyio.to_thread.run_sync(
                begin, abandon_on_cancel=True, limiter=self._limiter
            )
        raise too_long(self._limits.seconds) if begun else _busy()


def _busy() -> Refusal:
    return Refusal(503, "the server is busy", "Try again.", code="overloaded", retry_after=1)


class Writing:
    """Counts the answers that are being written, and lets no more begin than there may be."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """While one is written; raises Refusal when that were too many."""
        if self._now >= self._most:
            raise Refusal(
                503, "the server writes as many answers as it may", "Try again.",
                code="overloaded", retry_after=5,
            )  # fmt: skip
        self._now += 1
        try:
            yield
        finally:
            self._now -= 1


class BoundedBodies:
    """ASGI middleware: reads a request's body, if it is small enough and comes soon enough."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 or 408, or pass the request on with its whole body."""
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(self._read(scope, receive), self.limits.seconds)
        except TimeoutError:
            refusal = Refusal(408, "the body did not arrive in time", "Send it whole, at once.")
            await answer(refusal)(scope, receive, send)
        except Refusal as refusal:
            await answer(refusal)(scope, receive, send)
        else:
            given = False

            async def replay() -> Message:
                nonlocal given
                if given:
                    return await receive()
                given = True
                return {"type": "http.request", "body": body, "more_body": False}

            await self.app(scope, replay, send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        most = self.limits.body_bytes
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        body = bytearray()
        more, length = True, int(announced) if announced.isdigit() else 0
        while more and max(length, len(body)) <= most:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        if max(length, len(body)) > most:
            raise Refusal(413, f"the body is longer than {most} bytes", "Send less at a time.")
        return bytes(body)
