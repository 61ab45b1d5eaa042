"""The embedded server: shared, hard to kill, and down when it is told to be."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tasks.database import bin_path, cluster, connect, dsn, server, stop
from tasks.errors import Fatal
from tasks.settings import Settings
from tests.database.conftest import copy_of

START = """
import sys
from pathlib import Path
from tasks.database import connect
from tasks.settings import Settings
connection = connect(Settings(home=Path(sys.argv[1])))
print(connection.execute("select pg_postmaster_start_time()::text").fetchone()[0], flush=True)
sys.stdin.read()
"""


def starter(settings: Settings) -> subprocess.Popen[str]:
    """A process that connects, says since when the server runs, and waits for its stdin's end."""
    return subprocess.Popen(
        [sys.executable, "-c", START, str(settings.home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
        start_new_session=True,
        env={**os.environ, "OPENAI_API_KEY": "sk-not-for-the-server"},
    )


def running_since(settings: Settings) -> str:
    return ask(settings, "select pg_postmaster_start_time()::text")


def ask(settings: Settings, statement: str) -> str:
    with closing(connect(settings, autocommit=True)) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return str(row[0])


def postmaster(settings: Settings) -> int:
    return int((cluster.locate(settings.home) / "data" / "postmaster.pid").read_text().split()[0])


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited for 30 seconds"
        time.sleep(0.005)


def test_processes_that_start_it_at_once_share_one_server(new_home: Settings) -> None:
    processes = [starter(new_home) for _ in range(3)]

    answers = {process.communicate()[0] for process in processes}

    assert answers == {f"{running_since(new_home)}\n"}


def test_it_outlives_the_process_that_started_it(embedded: Settings) -> None:
    process = starter(embedded)
    assert process.stdout is not None
    since = process.stdout.readline()

    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    assert f"{running_since(embedded)}\n" == since


def test_a_killed_server_is_back_for_a_process_that_was_connected(embedded: Settings) -> None:
    with closing(connect(embedded)) as connection:
        connection.execute("insert into collections (name) values ('kept')")
        connection.commit()
        connection.execute("insert into collections (name) values ('lost')")
        os.kill(postmaster(embedded), signal.SIGKILL)

        assert ask(embedded, "select string_agg(name, ',') from collections") == "default,kept"


def test_no_server_is_started_beside_what_a_killed_one_left_behind(embedded: Settings) -> None:
    with closing(connect(embedded)) as connection, ThreadPoolExecutor(1) as pool:
        left_behind = connection.info.backend_pid
        os.kill(left_behind, signal.SIGSTOP)
        os.kill(postmaster(embedded), signal.SIGKILL)

        answer = pool.submit(ask, embedded, "select 1")
        with pytest.raises(TimeoutError):
            answer.result(timeout=0.5)
        os.kill(left_behind, signal.SIGCONT)
        assert answer.result(timeout=30) == "1"


def test_a_reused_process_id_is_neither_believed_nor_signalled(embedded: Settings) -> None:
    server.start(embedded)
    folder = cluster.locate(embedded.home)
    owner = cluster.owner_of(folder)
    bystander = subprocess.Popen(
        ["/bin/sleep", "60"], user=owner.pw_uid if os.geteuid() == 0 else None
    )
    try:
        file = folder / "data" / "postmaster.pid"
        os.kill(postmaster(embedded), signal.SIGKILL)
        wait_until(lambda: not server._alive(folder))
        _, *rest = file.read_text().split("\n")
        file.write_text("\n".join([str(bystander.pid), *rest]))

        assert stop(embedded) is False
        assert ask(embedded, "select 1") == "1"
        assert stop(embedded) is True
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_stopping_says_whether_it_was_running(embedded: Settings) -> None:
    assert stop(embedded) is False
    with closing(connect(embedded)):
        assert stop(embedded) is True
    assert stop(embedded) is False
    assert ask(embedded, "select 1") == "1"


def test_a_start_that_was_killed_while_it_made_the_cluster_leaves_nothing_half_made(
    new_home: Settings,
) -> None:
    process = starter(new_home)
    fresh = cluster.locate(new_home.home) / "data.new"
    wait_until(lambda: fresh.exists() and any(fresh.iterdir()))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()

    assert ask(new_home, "select count(*) from collections") == "1"
    assert not fresh.exists()


def test_a_home_too_long_for_a_socket_is_served_from_a_private_folder(
    short_folder: Path, seed: Path
) -> None:
    settings = copy_of(seed, short_folder / ("long" * 40))
    try:
        assert ask(settings, "select 1") == "1"
        socket = cluster.socket_folder(cluster.locate(settings.home))
        assert socket.parent == Path("/tmp")
        assert socket.stat().st_mode & 0o777 == 0o700
        assert "requirepeer" in dsn(settings)
    finally:
        stop(settings)
    socket.rmdir()


def test_a_socket_folder_that_others_can_enter_is_refused(short_folder: Path, seed: Path) -> None:
    settings = copy_of(seed, short_folder / ("open" * 40))
    socket = cluster.socket_folder(cluster.locate(settings.home))
    socket.mkdir(mode=0o755)
    try:
        with pytest.raises(Fatal, match="is not a private folder of the user"):
            server.start(settings)
    finally:
        socket.rmdir()


def test_a_server_that_cannot_start_says_why(embedded: Settings) -> None:
    ask(embedded, "select 1")
    folder = cluster.locate(embedded.home)
    stop(embedded)
    with (folder / "data" / "postgresql.auto.conf").open("a") as file:
        file.write("shared_preload_libraries = 'nonesuch'\n")

    with pytest.raises(Fatal, match=r"ended while it started: .*nonesuch.* Its log is in"):
        connect(embedded)


def test_an_operator_s_own_settings_outlast_a_restart(embedded: Settings) -> None:
    with closing(connect(embedded, autocommit=True)) as connection:
        connection.execute("alter system set work_mem = '5MB'")
    stop(embedded)

    assert ask(embedded, "show work_mem") == "5MB"


def test_its_settings_are_safe_and_it_listens_on_no_network(embedded: Settings) -> None:
    settings = {
        "listen_addresses": "",
        "data_checksums": "on",
        "server_encoding": "UTF8",
        "full_page_writes": "on",
        "jit": "off",
    }
    with closing(connect(embedded)) as connection:
        rows = connection.execute(
            "select name, setting from pg_settings where name = any (%s)", [list(settings)]
        ).fetchall()
        boot = connection.execute(
            "select boot_val from pg_settings where name = 'fsync'"
        ).fetchone()

    assert dict(rows) == settings
    assert boot == ("on",)


def test_quotation_marks_are_no_letters_to_text_search(embedded: Settings) -> None:
    assert (
        ask(embedded, "select to_tsvector('simple', '“naïve”—東京')::text") == "'naïve':1 '東京':2"
    )


def test_the_callers_environment_does_not_reach_the_server(embedded: Settings) -> None:
    starter(embedded).communicate()

    with closing(connect(embedded)) as connection:
        connection.execute("create temporary table environment (line text)")
        connection.execute("copy environment from program 'env'")
        lines = connection.execute("select string_agg(line, ' ') from environment").fetchone()

    assert lines is not None and "PATH=" in lines[0]
    assert "sk-not-for-the-server" not in lines[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_roots_closed_home_points_to_a_folder_that_the_server_can_enter(
    short_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_SYSTEM_FOLDER", short_folder / "system")
    settings = Settings(home=tmp_path / "closed" / "home")
    (tmp_path / "closed").mkdir(mode=0o700)
    try:
        assert ask(settings, "select 1") == "1"
        assert (settings.home / "postgres").readlink().parent == short_folder / "system"
        assert (tmp_path / "closed").stat().st_mode & 0o777 == 0o700
    finally:
        stop(settings)


def test_data_that_are_gone_are_missed_not_replaced(new_home: Settings) -> None:
    new_home.home.mkdir()
    (new_home.home / "postgres").symlink_to("/nowhere/openbook")

    with pytest.raises(Fatal, match="links to /nowhere/openbook, which is gone"):
        connect(new_home)


def test_programs_are_found_in_the_wheel() -> None:
    version = subprocess.run([bin_path("psql"), "--version"], capture_output=True, check=True)
    assert version.stdout.startswith(b"psql (PostgreSQL)")

    with pytest.raises(Fatal, match="no program 'nonesuch'"):
        bin_path("nonesuch")
