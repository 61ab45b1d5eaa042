"""A spec's file to a Spec: unknown keys and wrong values are refused with their line."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from tasks.datasets.spec import REDACTIONS, Spec
from tasks.errors import Rejected

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_SHARES = (
    "dedupe.near", "decontaminate.test_share", "mix.share", "raft.without_oracle",
    "split.train", "split.validation", "split.test", "trigger.negative_share",
)  # fmt: skip
_COUNTS = {
    "quality.min_tokens": 0, "quality.max_tokens": 1, "quality.min_turns": 1,
    "decontaminate.ngram": 3, "balance.per_user": 1, "balance.per_tag": 1,
    "raft.distractors": 0, "price.epochs": 1, "price.usd_per_million_tokens": 0,
    "trigger.new_examples": 1, "trigger.max_age_days": 0, "trigger.cooldown_hours": 0,
}  # fmt: skip


def read_spec(path: Path) -> Spec:
    """Read a spec. Raises Rejected with the file, the line and what to write instead."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise Rejected(f"{path} cannot be read: {error.strerror}", "Name a spec's file.") from None
    except UnicodeDecodeError:
        raise Rejected(f"{path} is not UTF-8", "Save it as UTF-8.") from None
    return parse_spec(text, str(path))


def parse_spec(text: str, name: str = "spec") -> Spec:
    """The spec that a YAML or JSON text describes; `name` stands for its file in errors."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Rejected(
            f"{name} is not YAML: {' '.join(str(error).split())}", "Correct it."
        ) from None
    reader = _Reader(name)
    if node is None:
        raise Rejected(f"{name} is empty", "See deployments/datasets for specs to start from.")
    try:
        spec: Spec = reader.read(node, Spec, "")
    except RecursionError:
        raise Rejected(f"{name} refers to itself", "Write the value out.") from None
    for path, problem, remedy in _faults(spec):
        raise reader.rejected(reader.lines.get(path, 1), f"{path} {problem}", remedy)
    return spec


class _Reader:
    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[str, int] = {}

    def rejected(self, line: int, problem: str, remedy: str) -> Rejected:
        return Rejected(f"{self.name}, line {line}: {problem}", remedy)

    def read(self, node: yaml.Node, kind: Any, path: str) -> Any:  # noqa: PLR0911
        """The node's value as `kind`, a type of one of the spec's fields."""
        line = node.start_mark.line + 1
        self.lines[path] = line
        where = path or "the spec"
        if is_dataclass(kind):
            return self._read_fields(node, kind, path)
        if get_origin(kind) in (Union, types.UnionType):
            if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
                return None
            (kind,) = (one for one in get_args(kind) if one is not type(None))
            return self.read(node, kind, path)
        if get_origin(kind) is tuple:
            if not isinstance(node, yaml.SequenceNode):
                raise self.rejected(line, f"{where} is not a list", f"Write {where}: [a, b].")
            return tuple(self.read(one, get_args(kind)[0], path) for one in node.value)
        value = _plain(node)
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                allowed = ", ".join(get_args(kind))
                raise self.rejected(line, f"{where} is {value!r}", f"Write one of {allowed}.")
            return value
        if get_origin(kind) is not None:  # a mapping that is read where it is used
            if not isinstance(value, dict):
                raise self.rejected(line, f"{where} is not a mapping", "Write name: value pairs.")
            return value
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            words = {bool: "true or false", int: "a whole number", float: "a number"}
            raise self.rejected(
                line, f"{where} is {value!r}", f"Write {words.get(kind, 'a text')}."
            )
        return value

    def _read_fields(self, node: yaml.Node, kind: Any, path: str) -> Any:
        line = node.start_mark.line + 1
        if not isinstance(node, yaml.MappingNode):
            raise self.rejected(line, f"{path or 'the spec'} is not a mapping", "Write key: value.")
        hints = get_type_hints(kind)
        known = [one.name for one in fields(kind)]
        given: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, key_line = str(_plain(key_node)), key_node.start_mark.line + 1
            inner = f"{path}.{key}" if path else key
            if key not in known:
                close = get_close_matches(key, known, 1)
                hint = f"Did you mean {close[0]!r}? " if close else ""
                raise self.rejected(
                    key_line, f"unknown key {inner!r}", f"{hint}Known here: {', '.join(known)}."
                )
            if key in given:
                raise self.rejected(key_line, f"{inner!r} stands twice", "Keep one of them.")
            given[key] = self.read(value_node, hints[key], inner)
            self.lines[inner] = key_line
        for one in fields(kind):
            if one.name not in given and one.default is one.default_factory is MISSING:
                inner = f"{path}.{one.name}" if path else one.name
                raise self.rejected(line, f"{inner!r} is missing", f"Add {one.name}: to it.")
        return kind(**given)


def _plain(node: yaml.Node) -> Any:
    """The node's value as JSON would have it: dates become texts."""
    if isinstance(node, yaml.MappingNode):
        return {str(_plain(key)): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(one) for one in node.value]
    value = yaml.SafeLoader("").construct_object(node)
    return node.value if isinstance(value, date) else value


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
