"""How an adapter is trained: the settings of a local job, read strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from tasks.errors import Rejected


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings of a local training job; lengths are in the base model's tokens."""

    r: int = 16
    """The rank of the adapter's matrices."""
    alpha: int = 32
    """What the adapter is scaled by, over r."""
    dropout: float = 0.0
    targets: str = "all-linear"
    """Which layers get an adapter: `all-linear`, or names such as `q_proj,v_proj`."""
    epochs: float = 3.0
    learning_rate: float = 2e-4
    warmup: float = 0.03
    """The share of all steps over which the learning rate rises; then it falls to 0 on a line."""
    batch_size: int = 8
    """Examples that go through the model at once."""
    accumulation: int = 1
    """Batches whose gradients are added up before the weights move."""
    max_length: int = 2048
    """The longest example."""
    too_long: Literal["leave_out", "refuse"] = "leave_out"
    """What becomes of a longer one: never cut, since an answer's end would be lost."""
    packing: bool = False
    """Whether short examples share a sequence, each seeing itself alone; for sft."""
    assistant_only: bool = True
    """Whether the loss is of assistants' turns alone; else of every token."""
    beta: float = 0.1
    """How far preferences may take the model from its base; for dpo."""
    checkpoint_steps: int = 50
    """Steps after which training can be carried on if it is ended."""
    gradient_checkpointing: bool = False
    """Whether activations are computed again rather than kept: less memory, a third slower."""
    threads: int | None = None
    """Processor threads; None: PyTorch's own choice."""
    seed: int = 0


_AT_LEAST = {
    "r": 1, "alpha": 1, "batch_size": 1, "accumulation": 1, "max_length": 8, "checkpoint_steps": 1,
    "threads": 1, "seed": 0, "dropout": 0, "warmup": 0, "beta": 0, "epochs": 0, "learning_rate": 0,
}  # fmt: skip
_BELOW_ONE = ("dropout", "warmup")
_ABOVE_ZERO = ("epochs", "learning_rate", "beta")


def read_recipe(settings: Mapping[str, Any]) -> Recipe:
    """The recipe that the settings name, the rest by default.

    Raises Rejected for a setting that there is not, or a value that cannot be.
    """
    kinds = get_type_hints(Recipe)
    for name, value in settings.items():
        if name not in kinds:
            known = ", ".join(field.name for field in fields(Recipe))
            raise Rejected(f"Local training has no setting {name!r}", f"It has {known}.")
        if not _fits(kinds[name], value) or not _in_range(name, value):
            raise Rejected(
                f"The setting {name} is {value!r}", f"Give {_wanted(name, kinds[name])}."
            )
    return Recipe(**settings)


def _fits(kind: Any, value: object) -> bool:
    if get_args(kind) and isinstance(get_args(kind)[0], str):
        return value in get_args(kind)
    kinds = get_args(kind) or (kind,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, (*kinds, int) if float in kinds else kinds)


def _in_range(name: str, value: Any) -> bool:
    if value is None or name not in _AT_LEAST:
        return True
    return bool(
        _AT_LEAST[name] <= value < (1 if name in _BELOW_ONE else float("inf"))
        and (value > 0 or name not in _ABOVE_ZERO)
    )


def _wanted(name: str, kind: Any) -> str:
    if get_args(kind) and isinstance(get_args(kind)[0], str):
        return " or ".join(get_args(kind))
    if kind is bool:
        return "true or false"
    if name not in _AT_LEAST:
        return "a text"
    number = "a number" if kind is float else "a whole number"
    if name in _BELOW_ONE:
        return f"{number} from 0 and below 1"
    return f"{number} above 0" if name in _ABOVE_ZERO else f"{number} from {_AT_LEAST[name]}"
