"""One interface to whatever trains a model: prepare, submit, poll, cancel, collect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol, cast

from tasks.errors import Fatal
from tasks.settings import Settings

Method = Literal["sft", "dpo"]
State = Literal["planned", "running", "succeeded", "failed", "cancelled"]

ENDED: frozenset[State] = frozenset(("succeeded", "failed", "cancelled"))
"""The states that a job does not leave by itself."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What is to be trained, on what, and where the outcome goes.

    `run_key` names the run for good: whoever submits the same key again joins the run that is
    there, and buys nothing twice. `train` and `validation` are files of a dataset's export, in
    either of its formats. `settings` are the backend's own (rank, epochs, learning rate …); one
    that it does not know is refused. `output` is a folder that belongs to this run alone.
    `dataset_sha256` is the content hash of the dataset version that the files were exported from.
    """

    run_key: str
    method: Method
    base: str
    train: Path
    output: Path
    dataset_sha256: str
    validation: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A job that was checked and may be submitted, and what it will come to.

    `tokens` are those of the training file, once over; `trained_tokens` those of them that the loss
    is taken of, the stop token included: never 0. `too_long` examples do not fit the sequence
    length and are left out. `price_usd` is an estimate for all epochs: 0 for what runs here, None
    where the provider's price is not known.
    """

    job: TrainingJob
    examples: int
    tokens: int
    trained_tokens: int
    too_long: int = 0
    price_usd: float | None = 0.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobState:
    """How a job stands. `step` counts updates of the weights, of `steps`; `loss` is the last one.

    `message` says why a job failed and what to do, or what a running one is about.
    """

    state: State
    step: int | None = None
    steps: int | None = None
    loss: float | None = None
    message: str = ""

    @property
    def ended(self) -> bool:
        """Whether waiting any longer changes nothing."""
        return self.state in ENDED


@dataclass(frozen=True, slots=True)
class Artifact:
    """What came of a job: a folder on this machine, or the name of a provider's model.

    `sha256` is that of the folder's manifest, which holds those of its files; None for a
    provider's model, whose weights nobody here sees. `metrics` are what the training measured.
    `base_artifacts` are such hashes of the adapters that were merged into the base.
    """

    run_key: str
    base: str
    folder: Path | None = None
    model: str | None = None
    sha256: str | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    base_artifacts: Sequence[str] = ()


class Backend(Protocol):
    """Whatever trains: on this machine, or at a provider's."""

    def prepare(self, job: TrainingJob) -> Prepared:
        """Check the job without starting or buying anything.

        Raises Rejected where its files, its base model or its settings cannot be trained with, or
        where the loss would be taken of nothing, or never of the token that ends an answer.
        """
        ...

    def submit(self, prepared: Prepared) -> str:
        """Start the job and return its id; a job of the same run key is joined, not repeated.

        Raises Rejected where the run key was used for another job, Retryable where the backend
        takes none at the moment.
        """
        ...

    def find(self, run_key: str, output: Path) -> str | None:
        """The id of the job that was submitted with that key and folder, whoever lost its id.

        None: none was. Raises Retryable while one may still arrive.
        """
        ...

    def poll(self, job_id: str) -> JobState:
        """How the job stands; asks, and never waits for it to end."""
        ...

    def cancel(self, job_id: str) -> bool:
        """Ask that the job ends soon; False: it had ended, and stays as it is."""
        ...

    def collect(self, job_id: str) -> Artifact:
        """What came of a job that succeeded, checked against its hashes.

        Raises Rejected where the job has not succeeded, or what it left was altered since.
        """
        ...


_BACKENDS = {
    "local": "tasks.training.local.backend:LocalBackend",
    "openai": "tasks.training.hosted.backend:HostedBackend",
}
_NEEDED = {"local": ("torch", "transformers", "peft", "trl")}


def open_backend(name: str, settings: Settings) -> Backend:
    """The backend of that name: `local`, or `openai` for any provider that speaks that API.

    Raises Fatal for another name, and where the extra that the backend needs is not installed.
    """
    if name not in _BACKENDS:
        raise Fatal(
            f"There is no training backend {name!r}", f"Name one of {', '.join(_BACKENDS)}."
        )
    missing = [one for one in _NEEDED.get(name, ()) if find_spec(one) is None]
    if missing:
        raise Fatal(
            f"Training on this machine needs {', '.join(missing)}",
            "Install the extra: pip install 'openbook[train]', or `make train` in a checkout.",
        )
    module, _, kind = _BACKENDS[name].partition(":")
    return cast(Backend, getattr(import_module(module), kind)(settings))
