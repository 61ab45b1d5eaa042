"""What a provider is asked to do with an export, and what that will cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.errors import Rejected
from tasks.training.backend import Method, TrainingJob
from tasks.training.hosted.export import Export

_USUAL_EPOCHS = 3
_LONGEST_SUFFIX = 64
_NUMBERS: Mapping[str, tuple[type[int] | type[float], float]] = {
    "n_epochs": (int, 1),
    "batch_size": (int, 1),
    "learning_rate_multiplier": (float, 0),
    "beta": (float, 0),
    "seed": (int, 0),
    "max_usd": (float, 0),
    "usd_per_million_tokens": (float, 0),
}
"""The least of each setting; what it is follows from its type."""


@dataclass(frozen=True, slots=True)
class Order:
    """A job as it is ordered; what is None is left to the provider.

    The number of epochs is always said, so that what was priced is what is trained. `usd` is for
    all epochs; None: the price is not known.
    """

    base: str
    method: Method
    n_epochs: int
    usd: float | None
    usd_per_million_tokens: float | None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None
    beta: float | None = None
    seed: int | None = None
    suffix: str | None = None

    def request(self, run_key: str, files: Mapping[str, str]) -> dict[str, Any]:
        """The request's body; `files` are the ids of the uploaded ones, by split."""
        hyperparameters = {
            name: value
            for name in ("n_epochs", "batch_size", "learning_rate_multiplier", "beta")
            if (value := getattr(self, name)) is not None
        }
        kind = "supervised" if self.method == "sft" else "dpo"
        body: dict[str, Any] = {
            "model": self.base,
            "training_file": files["train"],
            "method": {"type": kind, kind: {"hyperparameters": hyperparameters}},
            "metadata": {"run_key": run_key},
        }
        if "validation" in files:
            body["validation_file"] = files["validation"]
        return body | {
            name: value for name in ("seed", "suffix") if (value := getattr(self, name)) is not None
        }


def read_order(job: TrainingJob, export: Export) -> Order:
    """The order that a job's settings describe, priced.

    `max_usd` is the most that it may cost; `usd_per_million_tokens` is the provider's price for one
    epoch, unless the dataset was priced for this base model. Raises Rejected for a setting that no
    provider knows or that is out of bounds, and where the price is above `max_usd` or not known.
    """
    given = {name: _read(name, value) for name, value in job.settings.items() if value is not None}
    if job.method != "dpo" and "beta" in given:
        raise Rejected("beta is a setting of the method dpo", "Leave it out.")
    epochs = given.pop("n_epochs", None) or export.epochs or _USUAL_EPOCHS
    rate = given.pop("usd_per_million_tokens", None)
    if rate is None and job.base == export.model:
        rate = export.usd_per_million_tokens
    usd = None if rate is None else export.tokens * epochs * rate / 1e6
    _check_budget(job, usd, given.pop("max_usd", None))
    return Order(job.base, job.method, epochs, usd, rate, **given)


def _check_budget(job: TrainingJob, usd: float | None, most: float | None) -> None:
    if most is None or (usd is not None and usd <= most):
        return
    if usd is None:
        raise Rejected(
            f"what training {job.base} costs is not known, and ${most:,.2f} is the most it may",
            "Say what its provider asks for: the setting usd_per_million_tokens.",
        )
    raise Rejected(
        f"training {job.base} would cost ${usd:,.2f}, and ${most:,.2f} is the most it may",
        "Raise max_usd, or train fewer epochs or examples.",
    )


def _read(name: str, value: Any) -> Any:
    if name == "suffix":
        if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_SUFFIX:
            raise Rejected(f"suffix is {value!r}", f"Give it 1 to {_LONGEST_SUFFIX} characters.")
        return value
    if name not in _NUMBERS:
        raise Rejected(
            f"no provider has a setting {name!r}",
            f"Name one of {', '.join([*_NUMBERS, 'suffix'])}.",
        )
    kind, least = _NUMBERS[name]
    numeric = isinstance(value, int) or (kind is float and isinstance(value, float))
    if not numeric or isinstance(value, bool) or not least <= value < float("inf"):
        wanted = "a whole number" if kind is int else "a number"
        raise Rejected(f"{name} is {value!r}", f"Set it to {wanted} from {least:g}.")
    return kind(value)
