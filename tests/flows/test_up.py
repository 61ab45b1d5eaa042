"""`openbook up`: real processes, killed one after the other. One `up` serves nearly all tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import pytest

from flows.daemon import Daemon
from flows.parts import await_answers, parts
from tasks.database import connect, server
from tasks.errors import Fatal
from tasks.settings import Settings
from tests.conftest import make_short_folder
from tests.loopback import listening

Found = TypeVar("Found")
PARTS = ("up/worker", "up/search", "up/watch", "prefect/server", "postgres")
_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 200
pytestmark = pytest.mark.xdist_group("up")


class Up:
    """One `openbook up --json`, with a home and a drop folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.home = folder / "home"
        self.drop = folder / "drop"
        self.drop.mkdir(exist_ok=True)
        self.port = free_port()
        self._log = folder / "up.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("OPENBOOK_", "PREFECT_"))}
        self.environment = {
            **clean,
            "PYTHONPATH": str(_ROOT),
            "OPENBOOK_HOME": str(self.home),
            "OPENBOOK_EMBEDDER": "hashing",
            "OPENBOOK_PARSE_WORKERS": "1",
            **settings,
        }

    def start(self) -> dict[str, Any]:
        """Start it; what it says when it is ready."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*self.command(), "--watch", str(self.drop), "--port", str(self.port)],
                env=self.environment,
                stdout=log,
                cwd=self.drop,
            )
        said: dict[str, Any] = json.loads(wait_for(self._said))
        self.seconds = float(said["seconds"])
        return said

    def _said(self) -> str:
        assert self.process.poll() is None, self._log.read_text()
        text = self._log.read_text()
        return text if text.endswith("}\n") else ""

    def command(self) -> list[str]:
        return [sys.executable, "-m", "flows.cli", "up", "--json"]

    def end(self, with_signal: signal.Signals) -> int:
        self.process.send_signal(with_signal)
        return self.process.wait(_PATIENCE_SECONDS)

    def finds(self, query: str) -> bool:
        """Whether its search server finds something by these words."""
        try:
            hits = fetch(
                f"http://127.0.0.1:{self.port}/search", {"query": query, "mode": "keyword"}
            )
        except OSError:
            return False
        return bool(hits["hits"])

    def prefect(self) -> str:
        return str(self.facts("prefect/server")["url"])

    def facts(self, part: str) -> dict[str, Any]:
        return dict(json.loads((self.home / f"{part}.json").read_text()))

    def pid(self, part: str) -> int:
        """The process id of a part, such as up/worker; what is not there has none."""
        if part == "postgres":
            pid_file = server.cluster.locate(self.home) / "data" / "postmaster.pid"
            return int(pid_file.read_text().split("\n")[0]) if pid_file.exists() else 0
        return int(self.facts(part)["pid"])


class Healthy(BaseHTTPRequestHandler):
    """Another program's server, which says 200 to whatever it is asked."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def wait_for(look: Callable[[], Found]) -> Found:
    """What `look` says when it says something."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found, "it did not happen in time"
    return found


def lives(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    folder = make_short_folder()
    with started(Up(folder)) as one:
        yield one
    shutil.rmtree(folder)


@contextmanager
def started(one: Up) -> Iterator[Up]:
    """It, when it is ready; ended afterwards whatever happens."""
    try:
        one.start()
        yield one
    finally:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)


def test_everything_answers_when_it_is_ready(up: Up) -> None:
    assert fetch(f"http://127.0.0.1:{up.port}/health") == {"status": "ready"}
    assert fetch(f"{up.prefect()}/health") is True
    (worker,) = fetch(f"{up.prefect()}/work_pools/openbook/workers/filter", {})
    assert worker["status"] == "ONLINE"
    deployed = fetch(f"{up.prefect()}/deployments/filter", {})
    assert {"nightly", "weekly", "on-demand"} <= {one["name"] for one in deployed}


def test_a_dropped_file_is_found_without_another_command(up: Up) -> None:
    (up.drop / "tides.md").write_text("# Tides\n\nThe spring tide follows the new moon.\n")
    assert wait_for(lambda: up.finds("spring tide"))


def test_a_new_source_gets_its_own_schedule(up: Up) -> None:
    def deployed() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = fetch(f"{up.prefect()}/deployments/filter", {})
        return [one for one in found if one["parameters"].get("folder") == str(up.drop)]

    (one,) = wait_for(deployed)
    assert one["schedules"][0]["active"]


def test_a_second_one_for_the_same_home_says_so(up: Up) -> None:
    second = subprocess.run(
        up.command(), env=up.environment, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert str(up.process.pid) in json.loads(second.stdout)["error"]


@pytest.mark.parametrize(
    "part",
    [pytest.param(part, marks=[] if part == "up/worker" else pytest.mark.faults) for part in PARTS],
)
def test_a_part_that_is_killed_is_started_again(up: Up, part: str) -> None:
    before = up.pid(part)
    os.kill(before, signal.SIGKILL)
    wait_for(lambda: up.pid(part) not in {0, before} and lives(up.pid(part)))
    name = f"{part.replace('/', '-')}.md"
    (up.drop / name).write_text(f"Lighthouse {part} burns.\n")
    wait_for(lambda: up.finds(f'"lighthouse {part}"'))
    assert wait_for(lambda: fetch_or_none(f"{up.prefect()}/health"))


@pytest.mark.faults
def test_a_prefect_server_whose_port_was_taken_is_found_at_its_new_one(up: Up) -> None:
    before, worker = up.prefect(), up.pid("up/worker")
    os.kill(up.pid("prefect/server"), signal.SIGKILL)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wait_for(lambda: taken(other, int(before.split(":")[2].split("/")[0])))
        other.listen()
        wait_for(lambda: up.prefect() != before and up.pid("up/worker") != worker)
        (up.drop / "moved.md").write_text("The harbour master moved.\n")
        wait_for(lambda: up.finds("harbour master"))
        (one,) = wait_for(lambda: online(up))
    assert one["status"] == "ONLINE"


def taken(other: socket.socket, port: int) -> bool:
    try:
        other.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def online(up: Up) -> list[dict[str, Any]]:
    """The workers that the server knows as online."""
    try:
        workers = fetch(f"{up.prefect()}/work_pools/openbook/workers/filter", {})
    except OSError:
        return []
    return [one for one in workers if one["status"] == "ONLINE"]


def fetch_or_none(url: str) -> Any:
    try:
        return fetch(url)
    except OSError:
        return None


def test_what_was_killed_itself_carries_on_and_ends_in_order_when_it_is_told(up: Up) -> None:
    (up.drop / "kept.md").write_text("The ferry keeps its timetable.\n")
    wait_for(lambda: up.finds("ferry timetable"))
    left = [up.pid(part) for part in PARTS]
    up.end(signal.SIGKILL)
    said = up.start()
    assert said["prefect"] == up.prefect().removesuffix("/api")
    assert up.finds("ferry timetable")
    assert not any(lives(pid) for pid in left[:3]), "what a killed one left is replaced"
    now = [up.pid(part) for part in PARTS]
    assert up.end(signal.SIGINT) == 0
    assert not any(lives(pid) for pid in now)


@pytest.mark.parametrize(
    ("with_signal", "when"),
    [(signal.SIGHUP, "up/up.lock"), (signal.SIGINT, "prefect/server.json")],
    ids=["hang-up", "Ctrl-C"],
)
@pytest.mark.faults
def test_it_ends_in_order_while_it_starts(with_signal: signal.Signals, when: str) -> None:
    """A terminal sends the signal to the whole group, whatever of it works then."""
    folder = make_short_folder()
    one = Up(folder)
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen(
            one.command(), env=one.environment, stdout=log, stderr=log, start_new_session=True
        )
    wait_for((one.home / when).exists)
    os.killpg(process.pid, with_signal)
    assert process.wait(_PATIENCE_SECONDS) == 0, (folder / "up.log").read_text()
    assert (folder / "up.log").read_text() == ""
    assert not Daemon(one.home / "prefect", "server").runs()
    assert one.pid("postgres") == 0
    shutil.rmtree(folder)


@pytest.mark.faults
def test_a_hang_up_ends_it_in_order() -> None:
    folder = make_short_folder()
    with started(Up(folder)) as one:
        now = [one.pid(part) for part in PARTS]
        assert one.end(signal.SIGHUP) == 0
        assert not any(lives(pid) for pid in now)
    shutil.rmtree(folder)


def test_a_port_of_another_program_is_told_before_anything_is_started(tmp_path: Path) -> None:
    one = Up(tmp_path)
    with listening(Healthy) as (other, _):
        said = subprocess.run(
            [*one.command(), "--port", str(other.server_port)],
            env=one.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert said.returncode == 1
    assert f"port {other.server_port} cannot be served" in json.loads(said.stdout)["error"]
    assert not Daemon(one.home / "prefect", "server").runs()


@pytest.mark.faults
def test_what_another_program_answers_on_the_port_is_not_readiness(tmp_path: Path) -> None:
    """It may take the port while our server is still starting."""
    settings = Settings(home=tmp_path / "home")
    with listening(Healthy) as (other, _):
        kept = list(parts(settings, [], "http://127.0.0.1:9/api", "127.0.0.1", other.server_port))
        (search,) = [part for part in kept if part.daemon.name == "search"]
        search.start()
        with pytest.raises(
            Fatal, match=f"search does not start: .*port {other.server_port} cannot"
        ):
            await_answers([search], Event())


@pytest.mark.faults
def test_a_configured_database_is_used_and_left_running(database: Settings, tmp_path: Path) -> None:
    assert database.database_url is not None
    with started(Up(tmp_path, OPENBOOK_DATABASE_URL=database.database_url)) as one:
        (one.drop / "tides.md").write_text("The neap tide follows the half moon.\n")
        wait_for(lambda: one.finds("neap tide"))
        assert not (one.home / "postgres").exists()
    assert one.process.returncode == 0
    with closing(connect(database)) as connection:
        assert connection.execute("select 1").fetchone() == (1,)
