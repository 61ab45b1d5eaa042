"""Parsing in capped child processes, so that a file can cost no more than itself."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore, Lock
from types import TracebackType
from typing import TYPE_CHECKING

from tasks.errors import Fatal, Killed, Rejected, Retryable
from tasks.ingest.parse.wire import ANSWER_LIMIT, LENGTH_BYTES, read_answer, request
from tasks.records import Document

if TYPE_CHECKING:
    from tasks.settings import Settings

_START_SECONDS = 60.0
_DEATH_SECONDS = 5.0
_RESIDENT_LIMIT = 512 * 1024 * 1024
"""A process that holds more after a file is replaced."""
_READ_BYTES = 1024 * 1024
_SHOWN_CHARACTERS = 300


class ParserPool:
    """Up to `settings.parse_workers` parser processes, started when needed and used again.

    A context manager; several threads may call `parse` at the same time. The processes know
    nothing of this one's environment, have no network, and end with it. One that hangs, crashes
    or outgrows its limits is replaced, and costs its file alone.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slots = BoundedSemaphore(settings.parse_workers)
        self._lock = Lock()
        self._idle: list[_Worker] = []
        self._closed = False
        # A child dies with the thread that started it, so one thread that lasts starts them all.
        self._starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="start-parser")

    def __enter__(self) -> ParserPool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()
        self._starter.shutdown()

    def parse(self, path: Path, format: str) -> Document:
        """Parse one file, in the format that `format_of` told.

        Raises Rejected when the file cannot be read within the limits, Retryable when the machine
        stood in the way, Fatal when no parser process starts.
        """
        with self._slots:
            worker = self._take()
            reusable = False
            try:
                outcome, resident, healthy = worker.ask(path, format, self._settings.parse_seconds)
                reusable = healthy and resident <= _RESIDENT_LIMIT
            except TimeoutError:
                outcome = self._too_slow()
            except (EOFError, BrokenPipeError):
                outcome = self._death(worker)
            except ValueError as error:
                outcome = Rejected(f"Its parser answered nonsense: {error}", "Check the file.")
            finally:
                self._give_back(worker, reusable)
        if isinstance(outcome, Document):
            return outcome
        raise outcome

    def _take(self) -> _Worker:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._starter.submit(_Worker, self._settings).result()

    def _give_back(self, worker: _Worker, reusable: bool) -> None:
        with self._lock:
            if reusable and not self._closed:
                self._idle.append(worker)
                return
        worker.kill()

    def _too_slow(self) -> Killed:
        return Killed(
            f"It takes longer than {self._settings.parse_seconds:g} seconds to parse",
            "Raise OPENBOOK_PARSE_SECONDS, or split the file.",
        )

    def _death(self, worker: _Worker) -> Rejected | Retryable:
        code, words = worker.last_words()
        if code == -signal.SIGXCPU:
            return self._too_slow()
        if code in (-signal.SIGKILL, -signal.SIGTERM):
            return Retryable(
                "Its parser was killed from outside, for want of memory perhaps",
                "Ingest again, with fewer OPENBOOK_PARSE_WORKERS if it comes back.",
            )
        if "MemoryError" in words:
            return Killed(
                f"It needs more than {self._settings.parse_megabytes} MB to parse",
                "Raise OPENBOOK_PARSE_MEGABYTES, or split the file.",
            )
        how = signal.Signals(-code).name if code < 0 else words or f"exit code {code}"
        return Killed(
            f"Its parser crashed ({how})",
            f"Open and save it again; if it needs more than {self._settings.parse_megabytes} MB,"
            " raise OPENBOOK_PARSE_MEGABYTES.",
        )


class _Worker:
    """One parser process, with a folder of its own for temporary files."""

    def __init__(self, settings: Settings) -> None:
        home = _folders(settings)
        self._folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=home))
        self._errors = self._folder / "errors"
        self._answers, answers = os.pipe()
        try:
            with self._errors.open("ab") as errors:
                self._process = subprocess.Popen(
                    _command(answers, settings),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=_environment(self._folder),
                    cwd=self._folder,
                    pass_fds=(answers,),
                    start_new_session=True,
                )
        finally:
            os.close(answers)
        try:
            self._read(1, time.monotonic() + _START_SECONDS)
        except (EOFError, TimeoutError):
            _, words = self.last_words()
            self.kill()
            raise Fatal(f"No parser process starts: {words}", "Install Openbook again.") from None

    def ask(
        self, path: Path, format: str, seconds: float
    ) -> tuple[Document | Rejected | Retryable, int, bool]:
        """Have one file parsed: the outcome, the bytes then held, and whether all is well.

        Raises TimeoutError, EOFError or BrokenPipeError for a process that hangs or has died, and
        ValueError for an answer that none gives.
        """
        deadline = time.monotonic() + seconds
        assert self._process.stdin is not None
        self._process.stdin.write(request(path.absolute(), format))
        self._process.stdin.flush()
        length = int.from_bytes(self._read(LENGTH_BYTES, deadline), "big")
        if length > ANSWER_LIMIT:
            raise ValueError(f"{length:,} bytes")
        return read_answer(bytes(self._read(length, deadline)))

    def last_words(self) -> tuple[int, str]:
        """The exit code of a process that has died (negative: a signal), and its last message."""
        try:
            code = self._process.wait(_DEATH_SECONDS)
        except subprocess.TimeoutExpired:
            return 0, "it stopped answering"
        words = self._errors.read_text(errors="replace").split() if self._errors.exists() else []
        return code, " ".join(words)[-_SHOWN_CHARACTERS:]

    def kill(self) -> None:
        """End the process, what it started, and its folder."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with suppress(OSError):
            os.close(self._answers)
        if self._process.stdin is not None:
            with suppress(OSError):
                self._process.stdin.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self, count: int, deadline: float) -> bytearray:
        """Exactly `count` bytes of the answer, before the deadline of the monotonic clock."""
        data = bytearray()
        waiting = select.poll()
        waiting.register(self._answers, select.POLLIN)
        while len(data) < count:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not waiting.poll(remaining * 1000):
                raise TimeoutError
            chunk = os.read(self._answers, min(_READ_BYTES, count - len(data)))
            if not chunk:
                raise EOFError
            data += chunk
        return data


def _folders(settings: Settings) -> Path:
    """Where the parser processes' folders lie; those that a killed process left are removed."""
    home = settings.home / "parsers"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in home.iterdir():
        owner = left.name.partition("-")[0]
        if not Path("/proc", owner).exists():
            shutil.rmtree(left, ignore_errors=True)
    return home


def _command(answers: int, settings: Settings) -> list[str]:
    return [
        *(sys.executable, "-P", "-X", "utf8", "-m", "tasks.ingest.parse.worker"),
        *(str(os.getpid()), str(answers)),
        *(str(settings.parse_megabytes), str(settings.parse_seconds)),
    ]


def _environment(folder: Path) -> dict[str, str]:
    """All that a parser process learns of its surroundings: no secret is among it."""
    return {
        "PATH": os.pathsep.join(os.get_exec_path()),
        "PYTHONPATH": os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path),
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "LC_ALL": "C.UTF-8",
        "OMP_THREAD_LIMIT": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "DO_NOT_TRACK": "1",
        "UNSTRUCTURED_DISABLE_NOTICE": "1",
    }
