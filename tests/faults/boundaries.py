"""Where a run can be cut off: every call that leaves the process, before and after.

The calls are counted at the libraries' edge, in the process that is to die: each wait for the
database (statement, begin, commit, copy), each file of ours made, renamed or removed, each request
to the embedding endpoint. Production code knows nothing of it.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import psycopg
from psycopg.types import TypeInfo

_FILE_CALLS = ("mkdir", "rmdir", "unlink", "remove", "rename", "replace")


class Boundaries:
    """Counts boundaries, writes each one's name to a file, and dies at the one that is wanted."""

    def __init__(self, log: Path, kill_at: int | None) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        self._kill_at = kill_at
        self._passed = 0
        self._lock = threading.Lock()
        self.muted = threading.local()

    def cross(self, name: str) -> None:
        """Pass one boundary, or end here for good."""
        with self._lock:
            self._passed += 1
            os.write(self._log, f"{name}\n".encode())
            if self._passed == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, call: Callable[..., Any], name: str, *args: Any, **kwargs: Any) -> Any:
        """Make the call, with a boundary before and one after it."""
        if getattr(self.muted, "on", False):
            return call(*args, **kwargs)
        self.cross(f"before {name}")
        result = call(*args, **kwargs)
        self.cross(f"after {name}")
        return result


def watch(log: Path, kill_at: int | None, home: Path, endpoint: str) -> None:
    """Watch this process's boundaries from now on; files count below `home`."""
    boundaries = Boundaries(log, kill_at)
    _watch_database(boundaries)
    _watch_files(boundaries, home)
    _watch_endpoint(boundaries, endpoint)


def _watch_database(boundaries: Boundaries) -> None:
    wait, connect = psycopg.Connection.wait, psycopg.Connection.connect
    look_up = TypeInfo.fetch

    def watched_wait(self: Any, gen: Any, *args: Any, **kwargs: Any) -> Any:
        return boundaries.around(wait, f"database: {_said(gen)}", self, gen, *args, **kwargs)

    def watched_connect(*args: Any, **kwargs: Any) -> Any:
        return boundaries.around(connect, "database: connect", *args, **kwargs)

    def unwatched_look_up(*args: Any, **kwargs: Any) -> Any:
        # A new connection's look at the catalogue changes nothing, and is half of all calls.
        boundaries.muted.on = True
        try:
            return look_up(*args, **kwargs)
        finally:
            boundaries.muted.on = False

    TypeInfo.fetch = staticmethod(unwatched_look_up)  # type: ignore[method-assign, assignment]
    psycopg.Connection.wait = watched_wait  # type: ignore[method-assign]
    psycopg.Connection.connect = staticmethod(watched_connect)  # type: ignore[assignment]


def _said(generator: Any) -> str:
    """The statement that a psycopg generator is about to send, or what else it does."""
    frame = getattr(generator, "gi_frame", None)
    statement = frame.f_locals.get("query", frame.f_locals.get("statement")) if frame else None
    if statement is None:
        return str(getattr(generator, "__name__", type(generator).__name__)).strip("_")
    if isinstance(statement, bytes):
        statement = statement.decode()
    text = statement if isinstance(statement, str) else statement.as_string(None)
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    return " ".join(" ".join(lines).split())[:60]


def _watch_files(boundaries: Boundaries, home: Path) -> None:
    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> Any:
            folder = "" if dir_fd is None else os.readlink(f"/proc/self/fd/{dir_fd}")
            if dir_fd is not None:
                kwargs["dir_fd"] = dir_fd
            if Path(folder, os.fsdecode(path)).is_relative_to(home):
                return boundaries.around(call, f"file: {name}", path, *args, **kwargs)
            return call(path, *args, **kwargs)

        return wrapper

    for name in _FILE_CALLS:
        setattr(os, name, watched(name, getattr(os, name)))


def _watch_endpoint(boundaries: Boundaries, endpoint: str) -> None:
    send = httpx2.HTTPTransport.handle_request

    def watched_send(self: Any, request: httpx2.Request) -> httpx2.Response:
        if str(request.url).startswith(endpoint):
            name = f"endpoint: {request.method} {request.url.path}"
            response = boundaries.around(send, name, self, request)
            assert isinstance(response, httpx2.Response)
            return response
        return send(self, request)

    httpx2.HTTPTransport.handle_request = watched_send  # type: ignore[method-assign]
