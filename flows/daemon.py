"""A process that outlives whoever started it, known by a lock that the kernel drops with it."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tasks.errors import Fatal

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
                # Shared: two who ask at once do not take each other for the process.
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False

    def facts(self) -> dict[str, Any]:
        """What the starter gave when it last started, and its `pid` once that is known."""
        try:
            return dict(json.loads(self._facts.read_text()))
        except (OSError, ValueError):
            return {}

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], **facts: object
    ) -> None:
        """Start the process in a session of its own; its log begins anew.

        Raises Fatal, and nothing has been started, where its facts cannot be written.
        """
        with self._lock.open("a") as lock, self.log.open("wb") as log:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write(facts)  # those of an earlier process must not be taken for its own
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
            try:
                self._write({"pid": process.pid, **facts})
            except Fatal:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise

    def stop(self) -> bool:
        """End the process and those that it started, in order, else by force; whether it lived.

        Nothing else is ever signalled. Raises Fatal when it is not to be found, or will not end.
        """
        if not self.runs():
            return False
        for ending in (signal.SIGTERM, signal.SIGKILL):
            for group in self._groups():
                with suppress(ProcessLookupError):
                    os.killpg(group, ending)
            deadline = time.monotonic() + _STOP_SECONDS
            while time.monotonic() < deadline:
                if not self.runs():
                    return True
                time.sleep(0.05)
        raise Fatal(
            f"{self.name} holds {self._lock} and cannot be ended from here",
            "End it where it was started: by another user, or in another container.",
        )

    def _groups(self) -> set[int]:
        """The process groups of whoever holds the lock, as far as they can be seen from here."""
        groups = set()
        for process in holders(self._lock, self.facts().get("pid")):
            with suppress(OSError):  # it has ended
                groups.add(os.getpgid(process))
        return groups

    def _write(self, facts: Mapping[str, object]) -> None:
        """Write the facts, whole or not at all; raises Fatal when that fails."""
        aside = self._facts.with_suffix(".new")
        try:
            aside.write_text(json.dumps(facts))
            aside.rename(self._facts)
        except OSError as error:
            raise Fatal(
                f"{self._facts} cannot be written: {error.strerror}, so {self.name} is not started",
                "Make room there, and let this user write there.",
            ) from error

    def last_words(self) -> str:
        """The end of its log, on one line."""
        try:
            text = self.log.read_text(errors="replace")
        except OSError:
            return ""
        return " ".join(text[-_LAST_WORDS:].split())[-500:]


def holders(lock: Path, written: object) -> set[int]:
    """The processes here that hold the lock on the file, and not merely have it open.

    Where the kernel does not tell, the one whose id was `written` down by whoever took the lock.
    """
    if sys.platform != "linux":
        return {int(str(written))} if written else set()
    held = lock.stat()
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is another user's
            if any(_holds(process, one, held) for one in (process / "fd").iterdir()):
                found.add(int(process.name))
    return found


def _holds(process: Path, descriptor: Path, lock: os.stat_result) -> bool:
    """Whether the process's descriptor is the locked one, and not merely of the same file."""
    with suppress(OSError):  # closed meanwhile
        return (
            os.path.samestat(descriptor.stat(), lock)
            and " FLOCK " in (text := (process / "fdinfo" / descriptor.name).read_text())
            and " WRITE " in text
        )
    return False
