"""One line to one JSON value: within limits, and without what Postgres cannot store."""

from __future__ import annotations

import json
from typing import Any

import orjson

from tasks.errors import Rejected

DEEPEST = 64
"""Levels of nesting; logs have some ten."""
_UNKNOWN = "\ufffd"


def parse(line: bytes) -> Any:
    """The JSON value of a line; NUL characters and lone surrogates become U+FFFD.

    Raises Rejected for what is no JSON, is not UTF-8, or is nested deeper than `DEEPEST`.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        value = _with_surrogates(line, error)
    if line.count(b"{") + line.count(b"[") > DEEPEST and _depth(value) > DEEPEST:
        raise _too_deep()
    if b"\\u0000" in line:
        value = _cleaned(value)
    return value


def parse_value(value: Any) -> Any:
    """A JSON value that a program made, as `parse` gives it; raises Rejected likewise."""
    if _depth(value) > DEEPEST:
        raise _too_deep()
    return _cleaned(value)


def _with_surrogates(line: bytes, error: orjson.JSONDecodeError) -> Any:
    """Read again, more slowly, what may only have a surrogate without its other half."""
    told = "not UTF-8" if "UTF-8" in error.msg else error.msg.partition(":")[0]
    refused = Rejected(
        f"The line is no JSON: {told} at character {error.pos + 1}",
        "Correct it, or export the file anew.",
    )
    if "depth limit" in error.msg:
        raise _too_deep()
    if b"\\ud" not in line.lower():
        raise refused
    try:
        return _cleaned(json.loads(line))
    except (ValueError, RecursionError):
        raise refused from None


def _too_deep() -> Rejected:
    return Rejected(
        f"The line is nested deeper than {DEEPEST} levels", "Flatten it, or leave it out."
    )


def _depth(value: Any) -> int:
    """How deep lists and objects stand in each other, found out level by level."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        level = [one for one in inner if isinstance(one, (dict, list))]
        depth += 1
    return depth


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return (
            value.replace("\0", _UNKNOWN)
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
        )
    if isinstance(value, list):
        return [_cleaned(one) for one in value]
    if isinstance(value, dict):
        return {_cleaned(name): _cleaned(one) for name, one in value.items()}
    return value
