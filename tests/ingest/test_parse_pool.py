"""The parser processes: they know nothing, cost no more than their limits, and end with us."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest

from tasks.errors import Killed, Rejected, Retryable
from tasks.ingest.parse import ParserPool, parse
from tasks.ingest.parse.wire import answer, read_answer
from tasks.records import Document, Element
from tasks.settings import Settings
from tests.ingest.parse_fixtures import write_docx, write_pptx

_home = TemporaryDirectory(prefix="openbook-parsers-")
HOME = Path(_home.name)
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
SLOW = "a\n\n" * 400_000
"""Markdown that takes some ten seconds."""


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "good.txt"
    path.write_text("The Aurora is late.")
    return path


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    path = tmp_path / "slow.md"
    path.write_text(SLOW)
    return path


@pytest.fixture
def pool() -> Iterator[ParserPool]:
    with ParserPool(Settings(home=HOME, parse_workers=1, parse_seconds=30)) as opened:
        yield opened


def workers() -> dict[int, Path]:
    """The parser processes of these tests' pools, with their entries in /proc."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            folder = (entry / "cwd").readlink()
        except OSError:
            continue
        if b"tasks.ingest.parse.worker" in command and folder.is_relative_to(HOME):
            found[int(entry.name)] = entry
    return found


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_the_pool_gives_what_parsing_in_this_process_gives(
    pool: ParserPool, tmp_path: Path
) -> None:
    for path, format in (
        (write_docx(tmp_path / "a.docx"), "docx"),
        (write_pptx(tmp_path / "a.pptx"), "pptx"),
    ):
        assert pool.parse(path, format) == parse(path, format)


def test_a_rejection_keeps_its_words_and_the_process(
    pool: ParserPool, tmp_path: Path, text: Path
) -> None:
    pool.parse(text, "txt")
    first = set(workers())
    empty = tmp_path / "empty.txt"
    empty.touch()
    with pytest.raises(Rejected) as caught:
        pool.parse(empty, "txt")
    assert caught.value.message == "The file is empty (0 bytes)"
    assert caught.value.remedy
    pool.parse(text, "txt")
    assert set(workers()) == first


def test_a_file_with_an_odd_name_is_parsed(pool: ParserPool, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/line\nbreak \xff.txt"))
    path.write_text("found")
    assert pool.parse(path, "txt").text == "found"


def test_a_missing_file_may_be_tried_again(pool: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(Retryable):
        pool.parse(tmp_path / "gone.txt", "txt")


def test_a_named_pipe_does_not_hang_it(pool: ParserPool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(Rejected, match="regular"):
        pool.parse(tmp_path / "pipe.txt", "txt")


def test_several_threads_share_the_processes(tmp_path: Path) -> None:
    paths = []
    for number in range(24):
        path = tmp_path / f"{number}.md"
        path.write_text(f"# {number}\n\ntext {number}\n")
        paths.append(path)
    with ParserPool(Settings(home=HOME, parse_workers=2)) as pool, ThreadPoolExecutor(6) as threads:
        documents = list(threads.map(lambda path: pool.parse(path, "md"), paths))
        assert len(workers()) <= 2
    assert [document.title for document in documents] == [str(number) for number in range(24)]


def test_a_parser_that_takes_too_long_costs_its_file_alone(slow: Path, text: Path) -> None:
    with ParserPool(Settings(home=HOME, parse_workers=1, parse_seconds=0.5)) as pool:
        pool.parse(text, "txt")
        with pytest.raises(Killed, match=r"longer than 0\.5 seconds") as caught:
            pool.parse(slow, "md")
        assert "OPENBOOK_PARSE_SECONDS" in caught.value.remedy
        assert pool.parse(text, "txt").text == "The Aurora is late."


def test_a_parser_that_needs_too_much_memory_costs_its_file_alone(
    tmp_path: Path, text: Path
) -> None:
    big = tmp_path / "big.txt"
    big.write_bytes(b"word " * 20_000_000)
    with ParserPool(Settings(home=HOME, parse_workers=1, parse_megabytes=150)) as pool:
        with pytest.raises(Killed, match="150 MB") as caught:
            pool.parse(big, "txt")
        assert "OPENBOOK_PARSE_MEGABYTES" in caught.value.remedy
        assert pool.parse(text, "txt").text == "The Aurora is late."


@linux
@pytest.mark.parametrize(
    ("sent", "error", "message"),
    [
        (signal.SIGSEGV, Killed, r"crashed \(SIGSEGV\)"),
        (signal.SIGXCPU, Killed, "longer than 30 seconds"),
        (signal.SIGKILL, Retryable, "killed from outside"),
    ],
)
def test_a_parser_that_dies_costs_its_file_alone(
    pool: ParserPool, slow: Path, text: Path, *, sent: signal.Signals, error: type, message: str
) -> None:
    pool.parse(text, "txt")
    (victim,) = workers()
    Thread(target=lambda: (time.sleep(0.3), os.kill(victim, sent))).start()
    with pytest.raises(error, match=message):
        pool.parse(slow, "md")
    assert pool.parse(text, "txt").text == "The Aurora is late."
    assert victim not in workers()


@linux
def test_a_parser_knows_no_secret(
    pool: ParserPool, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENBOOK_DATABASE_URL", "postgresql://secret")
    pool.parse(text, "txt")
    ((_, entry),) = workers().items()
    environment = (entry / "environ").read_bytes()
    assert b"secret" not in environment
    assert b"DO_NOT_TRACK=1" in environment


@linux
def test_a_parser_is_capped_and_holds_no_file_of_ours(pool: ParserPool, text: Path) -> None:
    with text.open() as ours:
        os.set_inheritable(ours.fileno(), True)
        pool.parse(text, "txt")
        ((_, entry),) = workers().items()
        opened = {os.readlink(link) for link in (entry / "fd").iterdir()}
    assert str(text) not in opened
    limits = (entry / "limits").read_text()
    for line in (
        f"Max address space         {2048 * 1024 * 1024}",
        "Max core file size        0",
        "Max open files            256",
        f"Max file size             {1024**3}",
    ):
        assert line in limits


CONNECT = """
import os, socket, sys
from tasks.ingest.parse.confinement import confine
confine(512, os.getppid())
{connect}
"""


@pytest.mark.parametrize(
    "connect",
    [
        "socket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)",
        "socket.getaddrinfo('localhost', 80)",
        "import _socket; s = _socket.socket(); s.connect(('127.0.0.1', int(sys.argv[1])))",
    ],
)
def test_a_parser_reaches_no_network(connect: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = subprocess.run(
            [sys.executable, "-c", CONNECT.format(connect=connect), str(server.getsockname()[1])],
            capture_output=True,
            text=True,
            check=False,
        )
    assert child.returncode != 0
    assert "PermissionError" in child.stderr or "unreachable" in child.stderr


@linux
def test_a_parsers_programs_end_with_it(slow: Path, tmp_path: Path) -> None:
    """A parser that is killed for its time takes what it started with it."""
    program = tmp_path / "tesseract"
    program.write_text(
        f"#!/bin/sh\necho $$ >> {tmp_path}/pids\nsleep 300 &\necho $! >> {tmp_path}/pids\nwait\n"
    )
    program.chmod(0o755)
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    path = os.environ["PATH"]
    try:
        os.environ["PATH"] = f"{tmp_path}:{path}"
        with (
            ParserPool(Settings(home=HOME, parse_workers=1, parse_seconds=1)) as pool,
            pytest.raises(Rejected),
        ):
            pool.parse(picture, "image")
    finally:
        os.environ["PATH"] = path
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    assert wait_for(lambda: not any(Path("/proc", pid, "exe").exists() for pid in pids))


ORPHAN = """
import sys, threading
from pathlib import Path
from tempfile import TemporaryDirectory
from tasks.ingest.parse import ParserPool
from tasks.settings import Settings
pool = ParserPool(Settings(home=Path(sys.argv[3]), parse_workers=1))
thread = threading.Thread(target=lambda: pool.parse(Path(sys.argv[1]), "txt"))
thread.start()
thread.join()  # the thread that asked first is gone; its process must not be
pool.parse(Path(sys.argv[1]), "txt")
print("ready", flush=True)
pool.parse(Path(sys.argv[2]), "md")
"""


@linux
def test_a_parser_ends_when_its_parent_is_killed(slow: Path, text: Path) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", ORPHAN, str(text), str(slow), str(HOME)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    children = Path(f"/proc/{parent.pid}/task").glob("*/children")
    (worker,) = [pid for child in children for pid in child.read_text().split()]
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not Path("/proc", worker, "exe").exists())


def test_nothing_is_left_when_the_pool_closes(text: Path, tmp_path: Path) -> None:
    with ParserPool(Settings(home=tmp_path, parse_workers=2)) as pool:
        pool.parse(text, "txt")
        assert list((tmp_path / "parsers").iterdir())
    assert not list((tmp_path / "parsers").iterdir())
    assert not workers()


@linux
def test_what_a_killed_process_left_is_removed(text: Path, tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = tmp_path / "parsers" / f"{dead.pid}-left"
    left.mkdir(parents=True)
    with ParserPool(Settings(home=tmp_path, parse_workers=1)) as pool:
        pool.parse(text, "txt")
    assert not left.exists()


def test_a_document_survives_the_wire() -> None:
    elements = (Element("Zwölf\n€ 🌊", "Title", 1, 2, "Sheet"), Element("x", "Table"))
    document = Document(
        "xlsx", "Tides", elements, {"to": ["a", "b"], "n": 1.5, "deep": {"k": None}}
    )
    assert read_answer(answer(document, 7, True)[8:]) == (document, 7, True)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b"cos\nsystem\n(S'true'\ntR.",
        b'{"resident":1,"healthy":true,"error":"SystemExit","texts":["a","b"]}',
        b'{"resident":1,"healthy":true,"format":"x","title":null,"metadata":{},"texts":["a"],'
        b'"categories":[],"depths":[],"pages":[],"sections":[]}',
    ],
)
def test_an_answer_that_no_parser_gives_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        read_answer(data)


def test_what_a_parser_says_is_cleaned_before_it_is_believed() -> None:
    data = (
        rb'{"resident":1,"healthy":true,"format":"x","title":"t\u0000","metadata":{},'
        rb'"texts":["a\u0000\ud800b"],"categories":["Title"],"depths":[1],"pages":[null],"sections":[null]}'
    )
    outcome, _, _ = read_answer(data)
    assert isinstance(outcome, Document)
    assert outcome.title == "t"
    assert outcome.elements[0].text == "a\ufffdb"
