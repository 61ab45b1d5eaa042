"""The processes that `openbook up` keeps beside Postgres and Prefect, and whether they answer."""

from __future__ import annotations

import json
import socket
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any

from flows.daemon import Daemon
from tasks.errors import Fatal
from tasks.serve.listen import address
from tasks.settings import Settings, variables

POOL = "openbook"
PARTS = ("worker", "search", "watch")
_READY_SECONDS = 180
_LONGEST_PAUSE = 60.0
_SETTLED_SECONDS = 30.0
"""A part that lived so long is started again at once."""


@dataclass(slots=True)
class Part:
    """A process that is kept alive, and whether it answers."""

    daemon: Daemon
    command: Sequence[str]
    environment: Mapping[str, str]
    answers: Callable[[], bool]
    facts: Mapping[str, str] = field(default_factory=dict)
    started: float = 0.0
    pause: float = 0.0

    def start(self) -> None:
        """Start it in the place of one that runs, such as one that a killed `up` left behind."""
        self.daemon.stop()
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


def parts(
    settings: Settings, folders: Sequence[Path], prefect: str, host: str, port: int
) -> Iterator[Part]:
    """The parts, not yet started; `prefect` is the address that they find Prefect's server at."""
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
    yield Part(
        Daemon(home, "worker"),
        [*python, "prefect", "worker", "start", "--pool", POOL, "--name", worker],
        environment,
        lambda: _worker_is_online(prefect, worker, since),
    )
    search, url = Daemon(home, "search"), address(host, port)
    yield Part(
        search,
        [*python, "flows.cli", "serve", "--host", host, "--port", str(port)],
        environment,
        lambda: _has_announced(search, url) and answers(f"{url}/health"),
        {"url": url},
    )
    if folders:
        watcher = Daemon(home, "watch")
        yield Part(
            watcher,
            [*python, "flows.watch", *map(str, folders)],
            {**environment, "PREFECT_LOGGING_LEVEL": "ERROR"},
            watcher.runs,
        )


def await_answers(waiting: Sequence[Part], ended: Event) -> None:
    """Return when every part answers; raises Fatal with the end of its log when one has died."""
    deadline = time.monotonic() + _READY_SECONDS
    while waiting and not ended.wait(0.1):
        for part in waiting:
            if not part.daemon.runs() or time.monotonic() > deadline:
                raise Fatal(
                    f"{part.daemon.name} does not start: {part.daemon.last_words()}",
                    f"Its log is {part.daemon.log}.",
                )
        waiting = [part for part in waiting if not part.answers()]


def answers(url: str) -> bool:
    """Whether a GET of it succeeds now."""
    with suppress(OSError), urllib.request.urlopen(url, timeout=5) as reply:  # noqa: S310
        return bool(reply.status == 200)
    return False


def _has_announced(search: Daemon, url: str) -> bool:
    """Whether it is the process itself that listens there: until it does, another one may."""
    with suppress(OSError):
        return url in search.log.read_text(errors="replace")
    return False


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
