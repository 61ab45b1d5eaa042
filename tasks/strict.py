"""A YAML or JSON file as a frozen dataclass: unknown keys and wrong values are refused by line."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from tasks.errors import Rejected

Kind = TypeVar("Kind")


def read_text(path: Path, what: str) -> str:
    """The file's text. Raises Rejected for one that cannot be read; `what` is what it describes."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise Rejected(
            f"{path} cannot be read: {error.strerror}", f"Name a {what}'s file."
        ) from None
    except UnicodeDecodeError:
        raise Rejected(f"{path} is not UTF-8", "Save it as UTF-8.") from None


def parse(text: str, kind: type[Kind], reader: Reader, see: str) -> Kind:
    """The text's value as `kind`. Raises Rejected with file, line and what to write instead.

    `see` says where to find one to start from.
    """
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise Rejected(
            f"{reader.name} is not YAML: {' '.join(str(error).split())}", "Correct it."
        ) from None
    if node is None:
        raise Rejected(f"{reader.name} is empty", see)
    try:
        value: Kind = reader.read(node, kind, "")
    except RecursionError:
        raise Rejected(f"{reader.name} refers to itself", "Write the value out.") from None
    return value


class Reader:
    """Reads the nodes of one file; `lines` is where each field stands, by its dotted path."""

    def __init__(self, name: str, what: str) -> None:
        """`name` stands for the file in errors, `what` for what it describes, such as a spec."""
        self.name = name
        self.what = what
        self.lines: dict[str, int] = {}

    def rejected(self, line: int, problem: str, remedy: str) -> Rejected:
        """What is wrong in a line, and what to write instead."""
        return Rejected(f"{self.name}, line {line}: {problem}", remedy)

    def read(self, node: yaml.Node, kind: Any, path: str) -> Any:  # noqa: PLR0911
        """The node's value as `kind`, a type of one of the spec's fields."""
        line = node.start_mark.line + 1
        self.lines[path] = line
        where = path or f"the {self.what}"
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
            raise self.rejected(
                line, f"{path or f'the {self.what}'} is not a mapping", "Write key: value."
            )
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
