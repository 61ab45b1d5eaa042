"""A bound on how long a client may take to say what it asks: uvicorn itself waits for ever."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol


class BoundedHeads(H11Protocol):
    """Closes a connection whose request's head is not there in time, and one that never asks.

    Between requests uvicorn's own, shorter bound holds until something comes.
    """

    seconds: ClassVar[float]
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """The head is waited for from the first moment."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Count from the first part of a head, not from the last, and no longer than to its end."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """There is nothing left to wait for."""
        super().connection_lost(exc)
        self._stop()

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.seconds, self._end)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


def bounded_heads(seconds: float) -> type[BoundedHeads]:
    """uvicorn's protocol with that bound, as its `http` takes it."""
    return type("BoundedHeads", (BoundedHeads,), {"seconds": seconds})
