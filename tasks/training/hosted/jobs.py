"""Jobs at a provider: each run launches one, and finds it again whatever was lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from openai.types.fine_tuning import FineTuningJob
from psycopg import Connection

from tasks.database import hold, query
from tasks.errors import Fatal, Rejected, Retryable
from tasks.training.backend import TrainingJob
from tasks.training.hosted.export import Export
from tasks.training.hosted.files import upload, uploaded
from tasks.training.hosted.once import buy, recover
from tasks.training.hosted.order import Order
from tasks.training.hosted.provider import Provider
from tasks.training.hosted.runs import Run, begin, named, refuse


def launch(
    connection: Connection,
    provider: Provider,
    job: TrainingJob,
    export: Export,
    order: Order,
) -> str:
    """The id of the job of this run, whose files are uploaded and which is launched if it is not.

    Raises Rejected or Fatal when the provider refuses, Retryable when it is not known yet what came
    of an earlier try.
    """
    with hold(connection, "training run", job.run_key) as held:
        if not held:
            raise Retryable(f"the run {job.run_key} is being submitted", "See how it went.")
        run = begin(connection, job, order)
        if run.job_id is not None:
            return run.job_id
        try:
            files = {
                file.split: upload(connection, provider, run.id, file) for file in export.files
            }
            return buy(provider, Launch(connection, provider, run, files, order))
        except (Rejected, Fatal) as refusal:
            refuse(connection, run.id, refusal)
            raise


def find_job(connection: Connection, provider: Provider, run_key: str) -> str | None:
    """The id of the run's job, also where the answer to its launch was lost; None: it has none.

    Raises Retryable while a launch may still arrive.
    """
    with hold(connection, "training run", run_key) as held:
        if not held:
            raise Retryable(f"the run {run_key} is being submitted", "See how it went.")
        run = named(connection, run_key)
        if run is None or run.state != "submitting":
            return None if run is None else run.job_id
        return recover(provider, Job(connection, provider, run, uploaded(connection, run.id)))


@dataclass
class Job:
    """A run's job, whether it was launched or not; `files` are the ids of its files, by split."""

    connection: Connection
    provider: Provider
    run: Run
    files: Mapping[str, str]

    @property
    def name(self) -> str:
        """What is bought, for messages."""
        return f"the job of run {self.run.run_key}"

    def find(self) -> str | None:
        """The run's job: by the key in its metadata, or else by what it was made of."""
        run_key = self.run.run_key
        jobs = list(self.provider.jobs({"run_key": run_key}))
        keyed = [one.id for one in jobs if (one.metadata or {}).get("run_key") == run_key]
        if keyed:
            return keyed[-1]  # the oldest
        # A provider that keeps no metadata: one of these files and this base, since the run began,
        # which no other run has.
        alike = [one for one in jobs if not one.metadata and self._is_alike(one)]
        if not alike:
            return None
        row = self.connection.execute(
            query("training_job_unclaimed"),
            {
                "run": self.run.id,
                "jobs": [one.id for one in alike],
                "created": [one.created_at for one in alike],
            },
        ).fetchone()
        self.connection.commit()
        return None if row is None else str(row[0])

    def sent(self) -> float | None:
        """Seconds since the run was marked as being submitted."""
        row = self.connection.execute(query("training_run_sent"), {"run": self.run.id}).fetchone()
        self.connection.commit()
        return None if row is None else float(row[0])

    def record(self, bought: str) -> None:
        """Give the run its job."""
        self._mark("running", bought)

    def _mark(self, state: str, job_id: str | None) -> None:
        self.connection.execute(
            query("training_run_mark"), {"run": self.run.id, "state": state, "job": job_id}
        )
        self.connection.commit()

    def _is_alike(self, one: FineTuningJob) -> bool:
        return (
            one.training_file == self.files.get("train")
            and one.validation_file == self.files.get("validation")
            and (one.model == self.run.base or one.model.startswith(f"{self.run.base}-"))
        )


@dataclass
class Launch(Job):
    """The purchase of a job."""

    order: Order

    def intend(self) -> None:
        """Mark the run as being submitted."""
        self._mark("submitting", None)

    def send(self) -> str:
        """Launch it."""
        run_key = self.run.run_key
        return self.provider.launch(run_key, self.order.request(run_key, self.files)).id

    def withdraw(self) -> None:
        """Mark the run as not submitted."""
        self._mark("planned", None)
