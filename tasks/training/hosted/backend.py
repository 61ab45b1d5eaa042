"""The backend `openai`: training at any provider that speaks OpenAI's fine-tuning API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from psycopg import Connection

from tasks.database import connect
from tasks.endpoint import Patience
from tasks.errors import Fatal, Rejected
from tasks.settings import Settings
from tasks.training.backend import ENDED, Artifact, JobState, Prepared, State, TrainingJob
from tasks.training.hosted import runs
from tasks.training.hosted.export import read_export
from tasks.training.hosted.jobs import find_job, launch
from tasks.training.hosted.order import read_order
from tasks.training.hosted.provider import Provider, Unknown, Unsaid

_STATES: dict[str, State] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
"""What providers call an end; whatever else they say, the job goes on."""
_REMEDY = "See the run's events, correct what they name, and begin another run."


class HostedBackend:
    """A provider, and the rows in which every file and job is written down before it is ordered.

    The settings of a job are n_epochs, batch_size, learning_rate_multiplier, beta (of dpo), seed,
    suffix, max_usd and usd_per_million_tokens.
    """

    def __init__(
        self, settings: Settings, patience: Patience | None = None, settles: float = 120.0
    ) -> None:
        """Nothing is sent yet: see `Provider`. Raises Fatal for an unusable key."""
        self._settings = settings
        self._provider = Provider(settings, patience, settles)

    def prepare(self, job: TrainingJob) -> Prepared:
        """Check the job's files against their manifest, and its price against `max_usd`.

        Raises Rejected where either is wrong.
        """
        export = read_export(job)
        order = read_order(job, export)
        unpriced = f"What training {job.base} costs is not known: see its provider's price list"
        return Prepared(
            job=job,
            examples=export.examples,
            tokens=export.tokens,
            trained_tokens=export.trained_tokens,
            price_usd=order.usd,
            warnings=() if order.usd is not None else (unpriced,),
        )

    def submit(self, prepared: Prepared) -> str:
        """Upload the files and launch the job, each unless that was done before; the job's id.

        Raises Rejected where the run key is another job's or the provider refuses the files,
        Retryable where the provider has no time or an earlier try may still arrive, Fatal where it
        takes no jobs.
        """
        job = prepared.job
        export = read_export(job)  # once more: what is sent is what was checked
        order = read_order(job, export)
        with self._connect() as connection:
            return launch(connection, self._provider, job, export, order)

    def find(self, run_key: str, _output: Path) -> str | None:
        """The job that was launched under that key, looked for where the answer was lost.

        Raises Retryable while it may still arrive.
        """
        with self._connect() as connection:
            return find_job(connection, self._provider, run_key)

    def poll(self, job_id: str) -> JobState:
        """Ask how the job stands, and write that and its new events down."""
        with self._connect() as connection:
            run = runs.find(connection, job_id)
            job = self._provider.job(job_id)
            state = _STATES.get(job.status, "running")
            events = self._new_events(job_id, runs.told(connection, run), state in ENDED)
            reason = _reason(job) if state == "failed" else None
            remedy = _REMEDY if reason else None
            progress = runs.Progress(state, _measured(job), events, reason, remedy)
            runs.advance(connection, run, progress)
            last = runs.latest_metrics(connection, run)
        return JobState(
            state=state,
            step=_whole(last.get("step")),
            steps=_whole(last.get("total_steps")),
            loss=_number(last.get("train_loss")),
            message=f"{reason}. {_REMEDY}" if reason else job.status,
        )

    def cancel(self, job_id: str) -> bool:
        """Ask that the job ends; False: it had ended, and stays as it is."""
        try:
            if self._provider.job(job_id).status in _STATES:
                return False
            self._provider.cancel(job_id)
        except Unknown:
            pass  # nothing is left of it
        except Rejected:
            if self._provider.job(job_id).status not in _STATES:
                raise
            return False
        return True

    def collect(self, job_id: str) -> Artifact:
        """The model that a job made, with what its training measured; its checkpoints are kept in
        the run's metrics. Raises Rejected where the job has not succeeded."""
        with self._connect() as connection:
            run = runs.find(connection, job_id)
            job = self._provider.job(job_id)
            if _STATES.get(job.status) != "succeeded" or not job.fine_tuned_model:
                raise Rejected(f"the job {job_id} is {job.status}", "Wait until it has succeeded.")
            state = self.poll(job_id)
            runs.note(connection, run, {"checkpoints": self._checkpoints(job_id)})
        measured = {**_measured(job), "train_loss": state.loss}
        return Artifact(
            run_key=run.run_key,
            base=job.model,
            model=job.fine_tuned_model,
            metrics={
                name: float(value)
                for name, value in measured.items()
                if isinstance(value, int | float)
            },
        )

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with closing(connect(self._settings)) as connection:
            yield connection

    def _new_events(self, job_id: str, known: set[str], ended: bool) -> list[FineTuningJobEvent]:
        """The events that are not known yet, newest first; all are looked at when the job ended."""
        fresh = []
        try:
            for event in self._provider.events(job_id):
                if event.id not in known:
                    fresh.append(event)
                elif not ended:
                    break
        except (Fatal, Unsaid):
            pass  # a provider without events has states all the same
        return fresh

    def _checkpoints(self, job_id: str) -> list[dict[str, Any]]:
        try:
            return [
                {
                    "model": one.fine_tuned_model_checkpoint,
                    "step": one.step_number,
                    "metrics": one.metrics.model_dump(exclude_none=True) if one.metrics else {},
                }
                for one in self._provider.checkpoints(job_id)
            ]
        except (Fatal, Unsaid):
            return []  # nor do all keep checkpoints


def _reason(job: FineTuningJob) -> str:
    error = job.error
    said = (error.message or error.code) if error else None
    return f"the provider says: {said}" if said else "the provider says no reason"


def _measured(job: FineTuningJob) -> dict[str, Any]:
    named = {
        "trained_tokens": job.trained_tokens,
        "seed": getattr(job, "seed", None),
        "model": job.fine_tuned_model,
        "result_files": getattr(job, "result_files", None) or None,
    }
    return {name: value for name, value in named.items() if value is not None}


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None
