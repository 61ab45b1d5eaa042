"""What is retrained, from what, when, and what it must show: a YAML or JSON file, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from tasks.strict import Reader, parse, read_text
from tasks.training.gate import Rules

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class Policy:
    """When it is worth it, beside the dataset's own trigger, and what it may cost.

    `cooldown_hours` count from the end of the last cycle. Dollars are bounded for one training, and
    for all that began in the last 30 days. A price that is not known fits no bound.
    """

    cooldown_hours: float = 24.0
    max_usd: float | None = None
    max_usd_a_month: float | None = None


@dataclass(frozen=True)
class Retraining:
    """One way to a better model.

    `name` is what the registry calls its models; `dataset` is a dataset spec's file, seen from this
    one; `base` is the model to start from: a folder, a hub's name or a provider's id. `settings`
    are the backend's own. The `golden` sets are asked of the candidate and of what serves; each
    says itself whether it is about the task, general ability or safety. With `approve` a person
    is asked before a candidate that passed the gate comes to serve.
    """

    name: str
    dataset: str
    base: str
    golden: tuple[str, ...]
    backend: Literal["local", "openai"] = "local"
    settings: Mapping[str, Any] = field(default_factory=dict)
    gate: Rules = field(default_factory=Rules)
    policy: Policy = field(default_factory=Policy)
    approve: bool = False

    def as_json(self) -> dict[str, Any]:
        """Its fields; `parse_retraining` of their JSON gives it back."""
        return {**asdict(self), "settings": dict(self.settings)}


def read_retraining(path: Path, **changes: Any) -> Retraining:
    """Read a spec, with changes to its fields; the dataset's path comes out absolute.

    A change to `max_usd` is one to the policy; None changes nothing. Raises Rejected with file,
    line and remedy.
    """
    found = parse_retraining(read_text(path, "retraining spec"), str(path))
    most = changes.pop("max_usd", None)
    given = {name: value for name, value in changes.items() if value is not None}
    policy = found.policy if most is None else replace(found.policy, max_usd=most)
    dataset = str((path.absolute().parent / found.dataset).resolve())
    return replace(found, dataset=dataset, policy=policy, **given)


def parse_retraining(text: str, name: str = "retraining spec") -> Retraining:
    """The retraining that a YAML or JSON text describes; `name` stands for its file in errors."""
    reader = Reader(name, "retraining spec")
    found = parse(text, Retraining, reader, "See deployments/retrain for one to start from.")
    for path, problem, remedy in _faults(found):
        raise reader.rejected(reader.lines.get(path, 1), f"{path} {problem}", remedy)
    return found


def stored_retraining(settings: Mapping[str, Any]) -> Retraining:
    """The retraining as a cycle keeps it."""
    return parse_retraining(json.dumps(settings), "the cycle's settings")


def _faults(found: Retraining) -> Iterator[tuple[str, str, str]]:
    if not _NAME.fullmatch(found.name):
        yield "name", f"is {found.name!r}", "Use up to 63 of a-z, 0-9, ., _ and -."
    if not found.golden:
        yield "golden", "names no set", "Name one at least: openbook golden import makes them."
    if not 0.5 < found.gate.confidence < 1:
        yield "gate.confidence", f"is {found.gate.confidence:g}", "Write a share such as 0.95."
    for path in ("gate.margin", "gate.tolerance"):
        value = getattr(found.gate, path.partition(".")[2])
        if not 0 <= value < 1:
            yield path, f"is {value:g}", "Write a number from 0 to below 1."
    for path in ("cooldown_hours", "max_usd", "max_usd_a_month"):
        value = getattr(found.policy, path)
        if value is not None and value < 0:
            yield f"policy.{path}", f"is {value:g}", "Write a number from 0."
