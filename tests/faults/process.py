"""A flow in a process of its own, which may be killed.

Processes are forked from one that has imported everything and started nothing, so that each costs
the run alone.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Literal

from prefect.settings import (
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    PREFECT_LOGGING_LEVEL,
    PREFECT_LOGGING_TO_API_ENABLED,
    temporary_settings,
)

from flows import ingest as ingest_flow
from flows import reembed as reembed_flow
from tasks import settings as settings_module
from tests.faults import boundaries

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.faults.template"])

RUN_SECONDS = 120.0


@dataclass(frozen=True)
class Job:
    """What one process does: `runs` runs of a flow, ingest's over `drop`, as `environment` says.

    It logs the boundaries that it crosses to `log`, and kills itself at the one of number
    `kill_at`, counted from 1. `prepare` is called first.
    """

    drop: Path
    environment: Mapping[str, str]
    log: Path
    api: str
    flow: Literal["ingest", "reembed"] = "ingest"
    allow_mass_delete: bool = False
    runs: int = 1
    kill_at: int | None = None
    prepare: Callable[[], None] | None = None


@dataclass
class Outcome:
    """How it went: the reports of the runs that ended well, the error of the one that did not."""

    exit_code: int = 0
    reports: list[dict[str, Any]] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def killed(self) -> bool:
        """Whether the process was killed."""
        return self.exit_code == -signal.SIGKILL


class Running:
    """A process at work."""

    def __init__(self, job: Job) -> None:
        self._receiver, sender = _context.Pipe(duplex=False)
        self.process: BaseProcess = _context.Process(target=_work, args=(job, sender))
        self.process.start()
        sender.close()

    def wait(self, seconds: float = RUN_SECONDS) -> Outcome:
        """Wait for its end; its outcome."""
        self.process.join(seconds)
        if self.process.exitcode is None:
            os.kill(self.process.pid or 0, signal.SIGUSR1)  # it prints where its threads are
            time.sleep(1)
            self.process.kill()
            self.process.join()
            raise AssertionError(f"the run did not end within {seconds} seconds")
        outcome = Outcome(self.process.exitcode)
        while self._receiver.poll():
            try:
                message = self._receiver.recv()
            except EOFError:
                break
            if isinstance(message, BaseException):
                outcome.error = message
            else:
                outcome.reports.append(message)
        self._receiver.close()
        assert outcome.exit_code != 1, "the process broke down: see its standard error"
        return outcome


def run(job: Job) -> Outcome:
    """Do the job in a process of its own, and wait for it."""
    return Running(job).wait()


def _work(job: Job, sender: Connection) -> None:
    for name in [name for name in os.environ if name.startswith(("OPENBOOK_", "OPENAI_"))]:
        del os.environ[name]
    os.environ.update(job.environment)
    tempfile.tempdir = None
    settings_module.current.cache_clear()
    output = os.open(job.log.with_suffix(".out"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, sys.stdout.fileno())
    os.dup2(output, sys.stderr.fileno())
    faulthandler.register(signal.SIGUSR1)
    if job.prepare:
        job.prepare()
    home, endpoint = (
        Path(job.environment["OPENBOOK_HOME"]),
        job.environment.get("OPENBOOK_EMBEDDING_URL", "none"),
    )
    updates = {
        PREFECT_API_URL: job.api,
        PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None,
        PREFECT_LOGGING_LEVEL: "ERROR",
        PREFECT_LOGGING_TO_API_ENABLED: False,
    }
    boundaries.watch(job.log, job.kill_at, home, endpoint)
    with temporary_settings(updates):
        for _ in range(job.runs):
            try:
                sender.send(
                    ingest_flow.ingest(
                        folder=str(job.drop), allow_mass_delete=job.allow_mass_delete
                    )
                    if job.flow == "ingest"
                    else reembed_flow.reembed()
                )
            except BaseException as error:
                sender.send(error)
                break
    # Prefect's threads would be waited for, seconds a run.
    os._exit(0)
