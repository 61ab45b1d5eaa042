"""A spec's file to a Spec: unknown keys and wrong values are refused with their line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tasks.datasets.spec import REDACTIONS, Spec
from tasks.strict import Reader, parse, read_text

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SHARES = (
    "dedupe.near", "decontaminate.test_share", "mix.share", "raft.without_oracle",
    "split.train", "split.validation", "split.test", "trigger.negative_share",
)  # fmt: skip
_COUNTS = {
    "quality.min_tokens": 0, "quality.max_tokens": 1, "quality.min_turns": 1,
    "decontaminate.ngram": 3, "balance.per_user": 1, "balance.per_tag": 1,
    "raft.distractors": 0, "price.epochs": 1, "price.usd_per_million_tokens": 0,
    "trigger.new_examples": 1, "trigger.min_judgements": 1, "trigger.max_age_days": 0,
    "trigger.cooldown_hours": 0,
}  # fmt: skip


def read_spec(path: Path) -> Spec:
    """Read a spec. Raises Rejected with the file, the line and what to write instead."""
    return parse_spec(read_text(path, "spec"), str(path))


def parse_spec(text: str, name: str = "spec") -> Spec:
    """The spec that a YAML or JSON text describes; `name` stands for its file in errors."""
    reader = Reader(name, "spec")
    spec = parse(text, Spec, reader, "See deployments/datasets for specs to start from.")
    for path, problem, remedy in _faults(spec):
        raise reader.rejected(reader.lines.get(path, 1), f"{path} {problem}", remedy)
    return spec


def _faults(spec: Spec) -> Iterator[tuple[str, str, str]]:
    """What is wrong with a spec whose types are right: the field, the problem, the remedy."""
    if not _NAME.fullmatch(spec.name):
        yield "name", f"is {spec.name!r}", "Use up to 63 of a-z, 0-9, ., _ and -."
    for name in spec.redact:
        if name not in REDACTIONS:
            yield "redact", f"names {name!r}", f"Known are {', '.join(REDACTIONS)}."
    for path in _SHARES:
        value = _at(spec, path)
        if value is not None and not 0 <= value <= 1:
            yield path, f"is {value:g}", "Write a share from 0 to 1."
    for path, least in _COUNTS.items():
        value = _at(spec, path)
        if value is not None and value < least:
            yield path, f"is {value:g}", f"Write {least} or more."
    if abs(spec.split.train + spec.split.validation + spec.split.test - 1) > 1e-9:
        yield "split", "does not add up to 1", "Let train, validation and test add up to 1."
    if spec.mix is not None and spec.mix.share >= 1:
        yield "mix.share", "leaves no room for the dataset's own examples", "Write less than 1."


def _at(spec: Spec, path: str) -> Any:
    value: Any = spec
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else getattr(value, part, None)
    return value
