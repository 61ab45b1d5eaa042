"""The Prefect server that the command line starts beside the embedded Postgres.

Where Prefect already has a server (`PREFECT_API_URL`, or a profile), that one is used. Otherwise
one is started under `OPENBOOK_HOME` on first use, shared by all commands, and stopped by
`openbook down`: runs keep their history, and only the first command waits for a server to start.
Its runs are kept in a database of their own in the embedded Postgres; beside a configured database,
which is not ours to add to, in a file.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import urllib.error
import urllib.request

from flows.daemon import Daemon
from tasks.database import asyncpg_url
from tasks.errors import Fatal
from tasks.settings import Settings

_START_SECONDS = 120


def ensure_server(settings: Settings) -> str:
    """The API address of the server under the settings' home, started if it does not run.

    Its port stays the same as long as nobody else takes it. Raises Fatal when it does not answer in
    time; its log says why.
    """
    daemon = _daemon(settings)
    with daemon.alone():
        if not daemon.runs() or "url" not in daemon.facts():
            daemon.stop()
            _start(daemon, settings)
        url = str(daemon.facts()["url"])
        _wait_until_ready(daemon, url)
    return url


def stop_server(settings: Settings) -> bool:
    """Stop the server under the settings' home; whether one ran."""
    daemon = _daemon(settings)
    with daemon.alone():
        return daemon.stop()


def server_url(settings: Settings) -> str | None:
    """The API address of the server under the settings' home if it runs."""
    daemon = _daemon(settings)
    return daemon.facts().get("url") if daemon.runs() else None


def known_server(settings: Settings) -> str | None:
    """The API address of Prefect's configured server, else of the one of this home if it runs."""
    from prefect.settings import PREFECT_API_URL

    return PREFECT_API_URL.value() or server_url(settings)


def search_url(settings: Settings) -> str | None:
    """The address of the search server that `openbook up` keeps for this home, if it runs."""
    daemon = Daemon(settings.home / "up", "search")
    return daemon.facts().get("url") if daemon.runs() else None


def _daemon(settings: Settings) -> Daemon:
    return Daemon(settings.home / "prefect", "server")


def _start(daemon: Daemon, settings: Settings) -> None:
    home = daemon.folder
    port = _free_port(int(daemon.facts().get("port", 0)))
    url = f"http://127.0.0.1:{port}/api"
    database = asyncpg_url(settings, "prefect") or f"sqlite+aiosqlite:///{home / 'prefect.db'}"
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")},
        "PREFECT_HOME": str(home),
        "PREFECT_API_URL": url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": database,
        "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
        "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "100",
        "PREFECT_UI_STATIC_DIRECTORY": str(home / "ui"),
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start"]
    daemon.start(
        [*command, "--host", "127.0.0.1", "--port", str(port)], environment, url=url, port=port
    )


def _free_port(wanted: int) -> int:
    """The port that it had, or any: Prefect's usual one may be another book's in a moment."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            # What a dead server left half open does not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Fatal("no port is free on 127.0.0.1", "End a program that listens on one.")


def _wait_until_ready(daemon: Daemon, url: str) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and daemon.runs():
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5) as reply:  # noqa: S310
                if reply.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise Fatal("The Prefect server does not answer", f"Its log is {daemon.log}.")
