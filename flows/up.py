"""Everything that keeps and answers from the book, started together and looked after.

The parts are processes of their own, so that none takes another with it: the embedded Postgres, the
Prefect server, a worker, the search server, and what watches folders. Whichever dies is started
again. What dies with this process is found by the next one and replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from psycopg import OperationalError

from flows.daemon import Daemon
from flows.deployments import Deployment, deployments
from flows.server import ensure_server, server_url, stop_server
from tasks.database import connect, stop
from tasks.errors import Fatal, OpenbookError
from tasks.settings import Settings, variables

POOL = "openbook"
PARTS = ("worker", "search", "watch")
_READY_SECONDS = 180
_LOOK_SECONDS = 1.0
_BOOK_SECONDS = 5.0
"""How often the database is asked what is to be deployed."""
_SILENT_SECONDS = 60.0
"""A Prefect server that has not answered for so long is started again."""
_LONGEST_PAUSE = 60.0
_SETTLED_SECONDS = 30.0
"""A part that lived so long is started again at once."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where what was started answers."""

    database: str
    prefect: str
    search: str
    watched: tuple[str, ...]


@dataclass(slots=True)
class _Part:
    """A process that is kept alive, and whether it answers."""

    daemon: Daemon
    command: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    facts: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0
    pause: float = 0.0

    def start(self) -> None:
        self.daemon.stop()  # one that a killed `up` left behind
        self.daemon.start(self.command, self.environment, **self.facts)
        self.started = time.monotonic()

    def look_after(self, tell: Callable[[str], None]) -> None:
        """Start it again if it died, after a pause that grows while it dies at once."""
        if self.daemon.runs():
            return
        lived = time.monotonic() - self.started
        if lived < self.pause:
            return
        self.pause = 0.0 if lived > _SETTLED_SECONDS else min(_LONGEST_PAUSE, 2 * self.pause + 1)
        tell(f"{self.daemon.name} ended and is started again; its log: {self.daemon.log}")
        self.start()


@dataclass(slots=True)
class _Book:
    """What was registered last, so that a new source gets its deployment."""

    settings: Settings
    environment: Mapping[str, str]
    registered: list[Deployment] = field(default_factory=list)

    def register(self) -> str | None:
        """Register what is to be deployed if it changed; the server's address if it did.

        Raises Fatal with what the command said when it fails.
        """
        with connect(self.settings, autocommit=True) as connection:
            wanted = deployments(connection, self.settings)
        if wanted == self.registered:
            return None
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "deploy", "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = json.loads(done.stdout or "{}")
        if done.returncode:
            message = said.get("error", " ".join(done.stderr.split())[-500:])
            raise Fatal(
                f"the deployments cannot be registered: {message}", said.get("remedy") or ""
            )
        self.registered = wanted
        return str(said["server"])


def up(
    settings: Settings,
    folders: Sequence[Path],
    *,
    host: str,
    port: int,
    ended: Event,
    ready: Callable[[Addresses], None],
    tell: Callable[[str], None],
) -> None:
    """Start everything, call `ready` when all of it answers, and keep it alive until `ended`.

    `tell` is given a sentence for what happens later. Raises Fatal when another process does the
    same for this home, and when a part cannot be started; then everything is stopped again.
    """
    with _only_one(settings):
        parts: list[_Part] = []
        try:
            book = _Book(settings, variables())
            prefect = book.register()
            assert prefect is not None
            parts += _parts(settings, folders, prefect, host, port)
            for part in parts:
                part.start()
            _await_answers(parts, ended)
            if not ended.is_set():
                ready(_addresses(settings, folders, prefect, host, port))
                _keep(parts, book, prefect, ended, tell)
        finally:
            for part in reversed(parts):
                part.daemon.stop()
            stop_server(settings)
            if settings.database_url is None:
                stop(settings)


def _keep(
    parts: Sequence[_Part], book: _Book, prefect: str, ended: Event, tell: Callable[[str], None]
) -> None:
    """Look after all until `ended`; what cannot be mended now is told once, and tried again."""
    ours = server_url(book.settings) == prefect
    due, spoke, told = 0.0, time.monotonic(), ""
    while not ended.wait(_LOOK_SECONDS):
        trouble = ""
        try:
            if ours:
                spoke = _look_after_prefect(book.settings, prefect, spoke, tell)
            if time.monotonic() >= due:
                due = time.monotonic() + _BOOK_SECONDS
                book.register()  # reaching the database starts it where it died
        except OpenbookError as error:
            trouble = str(error)
        except OperationalError as error:  # the database died while it was asked
            trouble, due = " ".join(str(error).split()), 0.0
        if trouble and trouble != told:
            tell(trouble)
        told = trouble or told
        for part in parts:
            part.look_after(tell)


def _look_after_prefect(
    settings: Settings, prefect: str, spoke: float, tell: Callable[[str], None]
) -> float:
    """Start the server again if it died or has not answered for long; when it last answered."""
    if server_url(settings) and _answers(f"{prefect}/health"):
        return time.monotonic()
    if time.monotonic() - spoke > _SILENT_SECONDS:
        stop_server(settings)
    if server_url(settings):
        return spoke
    tell("prefect ended, or did not answer, and is started again")
    ensure_server(settings)
    return time.monotonic()


def _parts(
    settings: Settings, folders: Sequence[Path], prefect: str, host: str, port: int
) -> Iterator[_Part]:
    home = settings.home / "up"
    environment = {
        **variables(),
        "PREFECT_API_URL": prefect,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # automations.yaml waits for three of them
        "PREFECT_WORKER_QUERY_SECONDS": "3",
        "DO_NOT_TRACK": "1",
    }
    python = [sys.executable, "-m"]
    worker, since = f"up on {socket.gethostname()}", datetime.now(UTC)
    yield _Part(
        Daemon(home, "worker"),
        [*python, "prefect", "worker", "start", "--pool", POOL, "--name", worker],
        environment,
        lambda: _worker_is_online(prefect, worker, since),
    )
    yield _Part(
        Daemon(home, "search"),
        [*python, "flows.cli", "serve", "--host", host, "--port", str(port)],
        environment,
        lambda: _answers(f"{_base(host, port)}/health"),
        {"url": _base(host, port)},
    )
    if folders:
        watcher = Daemon(home, "watch")
        yield _Part(
            watcher,
            [*python, "flows.watch", *map(str, folders)],
            {**environment, "PREFECT_LOGGING_LEVEL": "ERROR"},
            watcher.runs,
        )


def _await_answers(parts: Sequence[_Part], ended: Event) -> None:
    """Return when every part answers; raises Fatal with the end of its log when one has died."""
    deadline = time.monotonic() + _READY_SECONDS
    waiting = list(parts)
    while waiting and not ended.wait(0.1):
        for part in waiting:
            if not part.daemon.runs() or time.monotonic() > deadline:
                raise Fatal(
                    f"{part.daemon.name} does not start: {part.daemon.last_words()}",
                    f"Its log is {part.daemon.log}.",
                )
        waiting = [part for part in waiting if not part.answers()]


def _worker_is_online(prefect: str, name: str, since: datetime) -> bool:
    """Whether the worker of that name asked for work since then."""
    workers = _post(f"{prefect}/work_pools/{POOL}/workers/filter")
    asked = (one["last_heartbeat_time"] for one in workers if one["name"] == name)
    return any(datetime.fromisoformat(time) >= since for time in asked if time)


def _post(url: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(  # noqa: S310
        url, data=b"{}", headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:  # noqa: S310
            return list(json.load(reply))
    except OSError:
        return []


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310
        return bool(reply.status == 200)
    return False


def _base(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _addresses(
    settings: Settings, folders: Sequence[Path], prefect: str, host: str, port: int
) -> Addresses:
    return Addresses(
        database="configured" if settings.database_url else f"embedded, {settings.home}",
        prefect=prefect.removesuffix("/api"),
        search=_base(host, port),
        watched=tuple(map(str, folders)),
    )


def end_up(settings: Settings) -> bool:
    """End the `up` of this home with all that it started, and what a killed one left; if there was.

    Whoever ended it returns when all is stopped.
    """
    home = settings.home / "up"
    if not home.exists():
        return False
    lived = False
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lived = True
            lock.seek(0)
            os.kill(int(lock.read()), signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)
        left = [Daemon(home, name).stop() for name in PARTS]
    return lived or any(left)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of this home's `up`; raises Fatal when another process holds it."""
    home = settings.home / "up"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Fatal(
                f"`openbook up` is at work under {settings.home} already, as process {lock.read()}",
                "End that one first, or set OPENBOOK_HOME to another folder.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
