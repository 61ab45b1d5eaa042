"""Personal data and secrets out of a conversation, equal values by equal placeholders."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.datasets.patterns import CLASSES
from tasks.datasets.spec import REDACTIONS

_END = "\0"
"""Stands between texts: Postgres stores none, and no pattern takes it for white space."""
_CLEAN = re.compile(r"[^\W_]+")


def find(text: str, classes: Sequence[str] = REDACTIONS) -> list[tuple[int, int, str]]:
    """The [start, end) spans to redact with their class, in order; none overlap."""
    found = [
        (start, end, rank)
        for rank, name in enumerate(REDACTIONS)
        if name in classes
        for start, end in CLASSES[name](text)
    ]
    if len(found) < 2:
        return [(start, end, REDACTIONS[rank]) for start, end, rank in found]
    kept: list[tuple[int, int, int]] = []
    for span in sorted(found):
        # Of two that overlap the surer stays, of one class the longer.
        if not kept or span[0] >= kept[-1][1]:
            kept.append(span)
        elif (span[2], span[0] - span[1]) < (kept[-1][2], kept[-1][0] - kept[-1][1]):
            kept[-1] = span
    return [(start, end, REDACTIONS[rank]) for start, end, rank in kept]


def redact(
    texts: Sequence[str], classes: Sequence[str] = REDACTIONS
) -> tuple[list[str], Counter[str]]:
    """The texts with `[EMAIL_1]` and the like in place of what was found, and how often each class.

    Numbers count the distinct values of a class in order of appearance over all the texts; case,
    spaces and punctuation do not make a value another.
    """
    joined = _END.join(texts)
    spans = find(joined, classes)
    if not spans:
        return list(texts), Counter()
    numbers: dict[tuple[str, str], int] = {}
    counts: Counter[str] = Counter()
    parts, at = [], 0
    for start, end, name in spans:
        value = (name, "".join(_CLEAN.findall(joined[start:end].casefold())))
        if value not in numbers:
            counts[name] += 1
            numbers[value] = counts[name]
        parts += [joined[at:start], f"[{name.upper()}_{numbers[value]}]"]
        at = end
    parts.append(joined[at:])
    return "".join(parts).split(_END), Counter(name for _, _, name in spans)


def redact_values(values: Sequence[Any], classes: Sequence[str]) -> tuple[list[Any], Counter[str]]:
    """JSON values whose texts are redacted together: object keys stay as they are.

    A text that is JSON itself, as tool calls' arguments are, stays JSON: its leaves are redacted,
    and a number that is personal data becomes a text.
    """
    leaves: list[tuple[str, Any]] = []
    for value in values:
        _collect(value, leaves)
    texts, counts = redact([text for text, _ in leaves], classes)
    if not counts:
        return list(values), counts
    replaced = iter(zip(texts, leaves, strict=True))
    return [_with_leaves(value, replaced) for value in values], counts


def _collect(value: Any, leaves: list[tuple[str, Any]]) -> None:
    """Add each text of a JSON value, and each long number as text, with what it was."""
    if isinstance(value, str):
        inner = _as_json(value)
        if inner is None:
            leaves.append((value, value))
        else:
            _collect(inner, leaves)
    elif isinstance(value, int):
        if abs(value) > 999_999:
            leaves.append((str(value), value))
    elif isinstance(value, Mapping):
        for one in value.values():
            _collect(one, leaves)
    elif isinstance(value, list):
        for one in value:
            _collect(one, leaves)


def _with_leaves(value: Any, leaves: Iterator[tuple[str, tuple[str, Any]]]) -> Any:
    if isinstance(value, str):
        inner = _as_json(value)
        if inner is None:
            return next(leaves)[0]
        redacted = _with_leaves(inner, leaves)
        return value if redacted == inner else json.dumps(redacted, ensure_ascii=False)
    if isinstance(value, int) and abs(value) > 999_999:
        text, (before, number) = next(leaves)
        return number if text == before else text
    if isinstance(value, Mapping):
        return {key: _with_leaves(one, leaves) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_leaves(one, leaves) for one in value]
    return value


def _as_json(text: str) -> Any:
    """The object or list that a text spells; None when it is any other text."""
    if not (text[:1] in ("{", "[") and text[-1:] in ("}", "]")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None
    except RecursionError:
        return None
