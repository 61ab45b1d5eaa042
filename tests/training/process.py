"""A training at a provider in a process of its own, which may be killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tasks.settings import Settings
from tasks.training.backend import TrainingJob
from tasks.training.hosted.backend import HostedBackend
from tests.faults import boundaries
from tests.training.conftest import HASTE

for _late in ("psycopg", "openai.resources.files", "openai.resources.fine_tuning"):
    import_module(_late)

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Attempt:
    """What one process does: it submits the job, polls until it has ended, and collects.

    It logs the boundaries that it crosses to `log`, and kills itself at the one of number
    `kill_at`, counted from 1.
    """

    settings: Settings
    job: TrainingJob
    log: Path
    kill_at: int | None = None
    settles: float = 0.0

    def start(self) -> multiprocessing.process.BaseProcess:
        """Begin, and go on."""
        process = _context.Process(target=_work, args=(self,))
        process.start()
        return process

    def run(self) -> bool:
        """Begin, and wait for its end; whether it came to the end of its work."""
        process = self.start()
        process.join(60)
        assert process.exitcode in (0, -signal.SIGKILL), "the process broke down: see its output"
        return process.exitcode == 0

    @property
    def crossed(self) -> list[str]:
        """The boundaries that the last process crossed."""
        return self.log.read_text().splitlines()


def _work(attempt: Attempt) -> None:
    boundaries.watch(
        attempt.log, attempt.kill_at, attempt.settings.home, attempt.settings.train_url or ""
    )
    backend = HostedBackend(attempt.settings, HASTE, attempt.settles)
    job_id = backend.submit(backend.prepare(attempt.job))
    while not backend.poll(job_id).ended:
        pass
    backend.collect(job_id)
    os._exit(0)
