"""A process known by its lock: ended for sure, and nobody else in its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import daemon as daemon_module
from flows.daemon import Daemon
from tasks.errors import Fatal

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
DEAF = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Daemon]:
    """A process that runs, and is ended afterwards."""
    one = Daemon(tmp_path, "sleeper")
    one.start(SLEEPER, os.environ, url="http://here")
    yield one
    if one.runs():
        one.stop()


@pytest.fixture
def innocent() -> Iterator[subprocess.Popen[bytes]]:
    """A process group of somebody else's."""
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def test_what_was_started_is_ended(sleeper: Daemon) -> None:
    assert sleeper.runs()
    assert sleeper.facts()["url"] == "http://here"
    assert sleeper.stop()
    assert not sleeper.runs()
    assert not sleeper.stop()


@pytest.mark.parametrize("written", ["{}", "", None], ids=["no pid", "empty", "gone"])
def test_it_is_ended_whatever_was_written_down(
    sleeper: Daemon, tmp_path: Path, written: str | None
) -> None:
    """Its starter may have been killed before it wrote, or the disk been full."""
    facts = tmp_path / "sleeper.json"
    facts.unlink() if written is None else facts.write_text(written)
    assert sleeper.stop()
    assert not sleeper.runs()


def test_a_process_id_of_an_earlier_start_ends_nobody_else(
    sleeper: Daemon, tmp_path: Path, innocent: subprocess.Popen[bytes]
) -> None:
    (tmp_path / "sleeper.json").write_text(json.dumps({"pid": innocent.pid}))
    assert sleeper.stop()
    assert innocent.poll() is None


def test_who_merely_looks_at_the_lock_is_not_ended(
    sleeper: Daemon, tmp_path: Path, innocent: subprocess.Popen[bytes]
) -> None:
    look = "import sys, time; f = open(sys.argv[1]); print('open', flush=True); time.sleep(600)"
    with subprocess.Popen(
        [sys.executable, "-c", look, tmp_path / "sleeper.lock"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as looker:
        assert looker.stdout is not None
        looker.stdout.readline()
        assert sleeper.stop()
        assert looker.poll() is None
        looker.kill()


def test_a_start_does_not_leave_the_facts_of_the_one_before(tmp_path: Path) -> None:
    one = Daemon(tmp_path, "sleeper")
    (tmp_path / "sleeper.json").write_text(json.dumps({"pid": 1, "url": "http://before"}))
    with pytest.raises(FileNotFoundError):
        one.start(["/nowhere/program"], os.environ)
    assert one.facts() == {}


def test_nothing_is_started_where_nothing_can_be_written_down(tmp_path: Path) -> None:
    one = Daemon(tmp_path, "sleeper")
    (tmp_path / "sleeper.new").mkdir()
    with pytest.raises(Fatal, match=r"sleeper\.json cannot be written"):
        one.start(SLEEPER, os.environ)
    assert not one.runs()


def test_what_does_not_listen_is_ended_by_force(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon_module, "_STOP_SECONDS", 1)
    one = Daemon(tmp_path, "deaf")
    one.start([sys.executable, "-c", DEAF], os.environ)
    while "deaf" not in one.last_words():
        pass
    assert one.stop()
    assert not one.runs()


def test_what_cannot_be_found_is_told_and_not_waited_for_for_ever(
    sleeper: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(daemon_module, "_STOP_SECONDS", 0.2)
        patch.setattr(os, "getpgid", lambda pid: (_ for _ in ()).throw(PermissionError(pid)))
        with pytest.raises(Fatal, match="cannot be ended from here"):
            sleeper.stop()
    assert sleeper.runs()


def test_a_process_that_outlives_its_leader_is_ended(tmp_path: Path) -> None:
    one = Daemon(tmp_path, "leader")
    child = "import subprocess, sys; subprocess.Popen(sys.argv[1:], close_fds=False)"
    one.start([sys.executable, "-c", child, *SLEEPER], os.environ)
    os.waitpid(one.facts()["pid"], 0)
    assert one.runs()
    assert one.stop()
    assert not one.runs()


def test_nobody_is_signalled_who_died_by_itself(sleeper: Daemon) -> None:
    os.kill(sleeper.facts()["pid"], signal.SIGKILL)
    os.waitpid(sleeper.facts()["pid"], 0)
    assert not sleeper.stop()
