"""A process that outlives whoever started it, known by a lock that the kernel drops with it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_STOP_SECONDS = 15
_LAST_WORDS = 2000


class Daemon:
    """One process of that name, whose lock, log and facts are files in a folder.

    The process inherits the open lock. A process id alone would prove nothing: it may be reused, or
    come from another container.
    """

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.folder = folder
        self.log = folder / f"{name}.log"
        self._lock = folder / f"{name}.lock"
        self._facts = folder / f"{name}.json"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold off everybody else who would start or stop the process."""
        with (self.folder / f"{self.name}.starting").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def runs(self) -> bool:
        """Whether the process lives."""
        with self._lock.open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def facts(self) -> dict[str, Any]:
        """What was written down when it last started: `pid`, and what the starter gave."""
        try:
            return dict(json.loads(self._facts.read_text()))
        except (OSError, ValueError):
            return {}

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], **facts: object
    ) -> None:
        """Start the process in a session of its own; its log begins anew."""
        with self._lock.open("a") as lock, self.log.open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            process = subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[lock.fileno()],
                cwd=self.folder,
            )
        self._facts.write_text(json.dumps({"pid": process.pid, **facts}))

    def stop(self) -> bool:
        """End the process and those that it started, in order, else by force; whether it lived."""
        if not self.runs():
            return False
        pid = int(self.facts()["pid"])
        deadline = time.monotonic() + _STOP_SECONDS
        os.killpg(pid, signal.SIGTERM)
        while self.runs():
            if time.monotonic() > deadline:
                os.killpg(pid, signal.SIGKILL)
            time.sleep(0.05)
        return True

    def last_words(self) -> str:
        """The end of its log, on one line."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return " ".join(text[-_LAST_WORDS:].split())[-500:]
