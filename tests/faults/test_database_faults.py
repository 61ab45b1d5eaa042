"""What the database does to a run: replies lost, connections cut, the server down, no more room."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier

from tasks.database import connect, dsn, stop
from tasks.errors import Fatal, Retryable
from tasks.settings import Settings
from tests.conftest import make_short_folder
from tests.faults import folder
from tests.faults.conftest import Lab, meanwhile
from tests.faults.proxy import SilentProxy, lossy_proxy

_COMMITS = range(1, 13)
_IN_EVERY_RUN = {6}


@pytest.mark.parametrize(
    "lose",
    [n if n in _IN_EVERY_RUN else pytest.param(n, marks=pytest.mark.faults) for n in _COMMITS],
)
def test_a_commit_whose_reply_is_lost_costs_nothing(lose: int, lab: Lab) -> None:
    expected = lab.fall_behind()
    stored = lab.stored()
    lab.endpoint.requests.clear()
    assert lab.database.database_url is not None
    address = conninfo_to_dict(lab.database.database_url)
    server = Path(str(address["host"]), f".s.PGSQL.{address['port']}")
    short = make_short_folder()
    try:
        with lossy_proxy(short, server, lose) as proxy:
            url = make_conninfo(lab.database.database_url, host=str(short))
            lab.ingest(environment={"OPENBOOK_DATABASE_URL": url})
        assert proxy.commits >= lose
    finally:
        shutil.rmtree(short)
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)
    bought = lab.endpoint.texts_answered
    assert len(bought) == len(set(bought)), "a text was bought twice"
    assert not stored & set(bought), "what was stored was bought again"


@pytest.fixture
def proxied(lab: Lab) -> Iterator[tuple[SilentProxy, dict[str, str]]]:
    """A proxy before the lab's database, and the environment of a run that uses it."""
    assert lab.database.database_url is not None
    address = conninfo_to_dict(lab.database.database_url)
    short = make_short_folder()
    proxy = SilentProxy(short, Path(str(address["host"]), f".s.PGSQL.{address['port']}"))
    url = make_conninfo(lab.database.database_url, host=str(short))
    yield proxy, {"OPENBOOK_DATABASE_URL": url}
    proxy.close()
    shutil.rmtree(short)


@pytest.mark.faults
def test_a_connection_that_goes_silent_keeps_no_run_from_ending_when_it_is_told_to(
    lab: Lab, proxied: tuple[SilentProxy, dict[str, str]]
) -> None:
    expected = lab.fall_behind()
    proxy, environment = proxied
    silent = threading.Event()

    def go_silent() -> None:
        proxy.fall_silent()
        silent.set()

    lab.endpoint.then(meanwhile(go_silent))
    running = lab.start(environment=environment)
    assert silent.wait(60), lab.output()
    assert "is held by run" in str(lab.ingest().error), "its lock lives as long as its connection"
    started = time.monotonic()
    os.kill(running.process.pid or 0, signal.SIGTERM)
    running.wait(30)
    assert time.monotonic() - started < 5
    proxy.close()
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)


@pytest.mark.faults
def test_a_database_that_refuses_in_the_middle_fails_the_run_and_loses_nothing(
    lab: Lab, proxied: tuple[SilentProxy, dict[str, str]]
) -> None:
    expected = lab.fall_behind()
    proxy, environment = proxied
    lab.endpoint.then(meanwhile(proxy.close))
    outcome = lab.ingest(environment=environment)
    assert isinstance(outcome.error, Retryable), lab.output()
    refused = lab.ingest(environment=environment)
    assert isinstance(refused.error, Retryable), lab.output()
    assert "cannot be used" in str(refused.error)
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)


def test_connections_that_are_cut_in_the_middle_cost_nothing(lab: Lab) -> None:
    expected = lab.fall_behind()
    lab.endpoint.then(meanwhile(lab.cut_connections))
    assert isinstance(lab.ingest().error, Retryable), lab.output()
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)


@pytest.fixture
def own_server(lab: Lab) -> Iterator[Lab]:
    """The lab with an embedded server of its own, which may be stopped."""
    settings = Settings(home=make_short_folder())
    connect(settings).close()
    own = lab.on(Settings(home=settings.home, database_url=dsn(settings)))
    del own.environment["OPENBOOK_DATABASE_URL"]
    yield own
    stop(settings)
    shutil.rmtree(settings.home)


@pytest.mark.faults
def test_a_server_that_stops_at_once_in_the_middle_is_started_again(own_server: Lab) -> None:
    lab = own_server
    expected = lab.fall_behind()

    def stop_immediately() -> None:
        pid_file = lab.database.home / "postgres" / "data" / "postmaster.pid"
        pid = int(pid_file.read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.01)

    lab.endpoint.then(meanwhile(stop_immediately))
    assert isinstance(lab.ingest().error, Retryable), lab.output()
    connect(Settings(home=lab.database.home)).close()
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)


def test_a_run_told_to_end_ends_within_five_seconds_and_says_so(lab: Lab) -> None:
    expected = lab.fall_behind()
    reached, over = threading.Event(), threading.Event()

    def linger() -> None:
        reached.set()
        over.wait(30)

    lab.endpoint.then(meanwhile(linger))
    running = lab.start()
    assert reached.wait(60), lab.output()
    started = time.monotonic()
    os.kill(running.process.pid or 0, signal.SIGTERM)
    running.wait(30)
    seconds = time.monotonic() - started
    over.set()
    lab.settle()
    lab.assert_sound()
    lab.assert_recovers(expected)
    with lab.connect() as connection:
        outcomes = connection.execute("select outcome from runs order by id").fetchall()
    assert outcomes[1] in [("failed",), ("abandoned",)]
    assert seconds < 5


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 256 MB; only root may mount one."""
    folder = Path(tempfile.mkdtemp(prefix="openbook-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=256m,mode=0711", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if mounted:
        yield folder
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
    folder.rmdir()
    if not mounted:
        pytest.skip("a small disk cannot be mounted here")


def fill(disk: Path) -> Path:
    """Leave no room on the disk; the file that takes it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(1 << 20)):
            pass
    return ballast


@pytest.mark.faults
def test_a_disk_without_room_for_the_database_fails_the_run_and_loses_nothing(
    lab: Lab, small_disk: Path
) -> None:
    settings = Settings(home=small_disk)
    connect(settings).close()
    own = lab.on(Settings(home=small_disk, database_url=dsn(settings)))
    own.environment |= {"OPENBOOK_HOME": str(lab.database.home)}
    try:
        own.fall_behind()
        marks = [f"mark{n}" for n in range(1000, 3000)]
        folder.write(own.drop, "long.md", folder.page("Long", marks))
        expected = folder.readable(own.drop) | {"moss.md": {"mark8"}}
        ballast = fill(small_disk)
        outcome = own.ingest()
        assert isinstance(outcome.error, Retryable), own.output()
        assert "No space left on device" in str(outcome.error)
        ballast.unlink()
        connect(settings).close()
        own.settle()
        own.assert_sound()
        own.assert_recovers(expected)
    finally:
        (small_disk / "ballast").unlink(missing_ok=True)
        stop(settings)


def limit_file_size() -> None:
    """Let this process write no file of more than 64 kB, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (65536, resource.RLIM_INFINITY))


@pytest.mark.faults
def test_no_room_for_copies_of_files_fails_the_run_and_blames_no_file(lab: Lab) -> None:
    marks = [f"mark{n}" for n in range(1000, 1500)]
    folder.write(lab.drop, "long.md", folder.page("Long", marks))
    outcome = lab.ingest(prepare=limit_file_size)
    assert isinstance(outcome.error, Fatal), lab.output()
    assert "staging" in str(outcome.error)
    lab.assert_sound()
    with lab.connect() as connection:
        assert connection.execute("select from documents where status = 'rejected'").rowcount == 0
    lab.assert_recovers(folder.readable(lab.drop))


@pytest.mark.faults
def test_a_database_that_turns_read_only_fails_the_run_and_loses_nothing(lab: Lab) -> None:
    expected = lab.fall_behind()
    with lab.connect() as connection:
        name = Identifier(connection.info.dbname)
        connection.execute(
            SQL("alter database {} set default_transaction_read_only = on").format(name)
        )
        connection.commit()
    outcome = lab.ingest()
    assert isinstance(outcome.error, Retryable), lab.output()
    assert "read-only" in str(outcome.error)
    with lab.connect() as connection:
        connection.execute("set transaction read write")
        connection.execute(SQL("alter database {} reset all").format(name))
        connection.commit()
    lab.assert_sound()
    lab.assert_recovers(expected)
