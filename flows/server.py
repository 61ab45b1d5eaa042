"""The Prefect server that the command line starts beside the embedded Postgres.

Where Prefect already has a server (`PREFECT_API_URL`, or a profile), that one is used. Otherwise
one is started under `OPENBOOK_HOME` on first use, shared by all commands, and stopped by
`openbook down`: runs keep their history, and only the first command waits for a server to start.
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
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.errors import Fatal
from tasks.settings import Settings

_START_SECONDS = 120
_STOP_SECONDS = 15


def ensure_server(settings: Settings) -> str:
    """The API address of the server under the settings' home, started if it does not run.

    Raises Fatal when it does not answer in time; its log says why.
    """
    home = _home(settings)
    with _starting(home):
        if not _runs(home):
            _start(home)
        url = str(json.loads((home / "server.json").read_text())["url"])
        _wait_until_ready(home, url)
    return url


def stop_server(settings: Settings) -> bool:
    """Stop the server under the settings' home; whether one ran."""
    home = _home(settings)
    with _starting(home):
        if not _runs(home):
            return False
        pid = int(json.loads((home / "server.json").read_text())["pid"])
        deadline = time.monotonic() + _STOP_SECONDS
        os.killpg(pid, signal.SIGTERM)
        while _runs(home):
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.05)
        return True


def server_url(settings: Settings) -> str | None:
    """The API address of the server under the settings' home if it runs."""
    home = _home(settings)
    return str(json.loads((home / "server.json").read_text())["url"]) if _runs(home) else None


def _home(settings: Settings) -> Path:
    home = settings.home / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    return home


@contextmanager
def _starting(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (home / "starting.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _runs(home: Path) -> bool:
    """Whether the server lives: it holds this lock from its start until the kernel drops it."""
    with (home / "running.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def _start(home: Path) -> None:
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home / 'prefect.db'}",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start"]
    with (home / "running.lock").open("w") as lock, (home / "server.log").open("wb") as log:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=[lock.fileno()],
            cwd=home,
        )
    (home / "server.json").write_text(json.dumps({"pid": process.pid, "url": url}))


def _free_port() -> int:
    """Any port, since Prefect's usual one may be another book's in a moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(home: Path, url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and _runs(home):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as reply:  # noqa: S310
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise Fatal("The Prefect server does not answer", f"Its log is {home / 'server.log'}.")
