"""Everything that keeps and answers from the book, started together and looked after.

The parts are processes of their own, so that none takes another with it: the embedded Postgres, the
Prefect server, a worker, the search server, and what watches folders. Whichever dies is started
again. What dies with this process is found by the next one and replaced.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event

from psycopg import OperationalError

from flows.daemon import Daemon, holders
from flows.deployments import Deployment, deployments
from flows.parts import PARTS, Part, answers, await_answers, parts
from flows.server import ensure_server, server_url, stop_server
from tasks.database import connect, stop
from tasks.errors import Fatal, OpenbookError
from tasks.serve.listen import address, listen
from tasks.settings import Settings, variables

_LOOK_SECONDS = 1.0
_BOOK_SECONDS = 5.0
"""How often the database is asked what is to be deployed."""
_SILENT_SECONDS = 60.0
"""A Prefect server that has not answered for so long is started again."""
_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where what was started answers."""

    database: str
    prefect: str
    search: str
    watched: tuple[str, ...]


@dataclass(slots=True)
class _Book:
    """What was registered last, so that a new source gets its deployment."""

    settings: Settings
    environment: Mapping[str, str]
    registered: list[Deployment] = field(default_factory=list)

    def register(self, ended: Event) -> str | None:
        """Register what is to be deployed if it changed; the server's address if it did.

        Raises Fatal with what the command said when it fails, unless it was `ended`.
        """
        with connect(self.settings, autocommit=True) as connection:
            wanted = deployments(connection, self.settings)
        if wanted == self.registered:
            return None
        code, output, errors = _run_until(
            ended, [sys.executable, "-m", "flows.cli", "deploy", "--json"], self.environment
        )
        if ended.is_set():
            return None
        said = json.loads(output or "{}")
        if code:
            message = said.get("error", " ".join(errors.split())[-500:])
            raise Fatal(
                f"the deployments cannot be registered: {message}", said.get("remedy") or ""
            )
        self.registered = wanted
        return str(said["server"])


def _run_until(
    ended: Event, command: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run a command, until it is done or `ended`; its exit code, output and errors.

    It has a session of its own: Ctrl-C is for whoever started it, who then ends it.
    """
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            start_new_session=True,
        )
        while process.poll() is None and not ended.wait(0.05):
            pass
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        process.kill()
        code = process.wait()
        output.seek(0)
        errors.seek(0)
        return code, output.read(), errors.read()


@dataclass(slots=True)
class _Kept:
    """What is kept alive: the book's deployments, Prefect's server where it is ours, the parts."""

    book: _Book
    folders: Sequence[Path]
    host: str
    port: int
    prefect: str = ""
    ours: bool = False
    parts: list[Part] = field(default_factory=list)

    def start(self, ended: Event) -> None:
        """Start all of it and wait until it answers, or it is `ended`."""
        search = Daemon(self.book.settings.home / "up", "search")
        search.stop()  # which a killed `up` left behind
        listen(self.host, self.port).close()
        self.prefect = self.book.register(ended) or ""
        if ended.is_set():
            return
        self.ours = server_url(self.book.settings) == self.prefect
        self.start_parts()
        await_answers(self.parts, ended)

    def start_parts(self) -> None:
        """Start the parts, or start them anew, so that they find Prefect's server where it is."""
        self.parts = list(
            parts(self.book.settings, self.folders, self.prefect, self.host, self.port)
        )
        for part in self.parts:
            part.start()

    def stop(self) -> None:
        """Stop what was started, last first; a configured database or server goes on."""
        settings = self.book.settings
        for part in reversed(self.parts):
            part.daemon.stop()
        stop_server(settings)
        if settings.database_url is None:
            stop(settings)

    def look_after_prefect(self, spoke: float, tell: Callable[[str], None]) -> float:
        """Start the server again if it died or is silent for long; when it last answered.

        Where another program has taken its port, it has a new address, and the parts are told.
        """
        settings = self.book.settings
        if server_url(settings) == self.prefect and answers(f"{self.prefect}/health"):
            return time.monotonic()
        if time.monotonic() - spoke > _SILENT_SECONDS:
            stop_server(settings)
        if server_url(settings) == self.prefect:
            return spoke
        tell("prefect ended, or did not answer, and is started again")
        prefect = ensure_server(settings)
        if prefect != self.prefect:
            self.prefect = prefect
            tell(f"prefect answers at {prefect.removesuffix('/api')} now; its port was taken")
            self.start_parts()
        return time.monotonic()

    def addresses(self) -> Addresses:
        settings = self.book.settings
        return Addresses(
            database="configured" if settings.database_url else f"embedded, {settings.home}",
            prefect=self.prefect.removesuffix("/api"),
            search=address(self.host, self.port),
            watched=tuple(map(str, self.folders)),
        )


def up(
    settings: Settings,
    folders: Sequence[Path],
    *,
    host: str,
    port: int,
    ended: Event,
    ready: Callable[[Addresses], None],
    tell: Callable[[str], None],
) -> None:
    """Start everything, call `ready` when all of it answers, and keep it alive until `ended`.

    `tell` is given a sentence for what happens later. Raises Fatal when another process does the
    same for this home, and when a part cannot be started; then everything is stopped again.
    """
    with _only_one(settings):
        kept = _Kept(_Book(settings, variables()), folders, host, port)
        try:
            kept.start(ended)
            if not ended.is_set():
                ready(kept.addresses())
                _keep(kept, ended, tell)
        except (OpenbookError, OperationalError):
            if not ended.is_set():  # else it fails because its children end
                raise
        finally:
            kept.stop()


def _keep(kept: _Kept, ended: Event, tell: Callable[[str], None]) -> None:
    """Look after all until `ended`; what cannot be mended now is told once, and tried again."""
    due, spoke, told = 0.0, time.monotonic(), ""
    while not ended.wait(_LOOK_SECONDS):
        trouble = ""
        try:
            if kept.ours:
                spoke = kept.look_after_prefect(spoke, tell)
            if time.monotonic() >= due:
                due = time.monotonic() + _BOOK_SECONDS
                kept.book.register(ended)  # reaching the database starts it where it died
                told = ""  # it is over; what comes again is told again
        except OpenbookError as error:
            trouble = str(error)
        except OperationalError as error:  # the database died while it was asked
            trouble, due = " ".join(str(error).split()), 0.0
        try:
            for part in kept.parts:
                part.look_after(tell)
        except OpenbookError as error:
            trouble = trouble or str(error)
        if trouble and trouble != told:
            tell(trouble)
            told = trouble


def end_up(settings: Settings) -> bool:
    """End the `up` of this home with all that it started, and what a killed one left; if there was.

    Whoever ended it returns when all is stopped. Raises Fatal when who does it is not to be found.
    """
    home = settings.home / "up"
    if not home.exists():
        return False
    lived = False
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lived = True
            lock.seek(0)
            working = holders(Path(lock.name), lock.read())
            if not working:
                raise Fatal(
                    f"`openbook up` works under {settings.home}, and cannot be ended from here",
                    "End it where it was started: by another user, or in another container.",
                ) from None
            for process in working:
                os.kill(process, signal.SIGTERM)
            fcntl.flock(lock, fcntl.LOCK_EX)
        left = [Daemon(home, name).stop() for name in PARTS]
    return lived or any(left)


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Hold the lock of this home's `up`; raises Fatal when another process holds it."""
    home = settings.home / "up"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise Fatal(
                f"`openbook up` is at work under {settings.home} already, as process {lock.read()}",
                "End that one first, or set OPENBOOK_HOME to another folder.",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
