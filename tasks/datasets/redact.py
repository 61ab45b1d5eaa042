"""Personal data and secrets out of a conversation, equal values by equal placeholders."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tasks.datasets.patterns import CLASSES, TELLING_KEY, WALL
from tasks.datasets.spec import REDACTIONS

_END = "\0"
"""Stands between texts: Postgres stores none, and no pattern takes it for white space."""
_CLEAN = re.compile(r"[^\W_]+")
_APART = WALL.removeprefix(_END)
"""Stands before what does not continue the text before it."""
_Leaf = tuple[str, str, Any]
"""A text of a JSON value, or a long number as text; what is read before it; what it was."""
_SHORT = 999_999
"""Numbers up to this identify nobody."""


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
    return _redact(texts, [""] * len(texts), classes)


def _redact(
    texts: Sequence[str], before: Sequence[str], classes: Sequence[str]
) -> tuple[list[str], Counter[str]]:
    """`redact`, each text read with what stands before it, of which nothing is replaced."""
    joined = _END.join([one + text for one, text in zip(before, texts, strict=True)])
    found = find(joined, classes)
    if not found:
        return list(texts), Counter()
    spans = iter(found)
    span = next(spans, None)
    numbers: dict[tuple[str, str], int] = {}
    distinct: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    redacted, start = [], 0
    for text, context in zip(texts, before, strict=True):
        start += len(context)
        end, at = start + len(text), start
        parts = []
        while span is not None and span[0] < end:
            if span[1] > start:
                value = (span[2], "".join(_CLEAN.findall(joined[span[0] : span[1]].casefold())))
                if value not in numbers:
                    distinct[span[2]] += 1
                    numbers[value] = distinct[span[2]]
                counts[span[2]] += 1
                parts += [joined[at : max(at, span[0])], f"[{span[2].upper()}_{numbers[value]}]"]
                at = min(span[1], end)
            if span[1] > end:
                break  # what is left of it may stand in the next text
            span = next(spans, None)
        redacted.append("".join([*parts, joined[at:end]]) if parts else text)
        start = end + len(_END)
    return redacted, counts


def redact_values(values: Sequence[Any], classes: Sequence[str]) -> tuple[list[Any], Counter[str]]:
    """JSON values whose texts and keys are redacted together.

    What a key says of its value is read with it, as in {"password": "…"}. A text that is JSON
    itself, as tool calls' arguments are, stays JSON: its keys and leaves are redacted, and a number
    that is personal data becomes a text.
    """
    leaves: list[_Leaf] = []
    keys: dict[str, str] = {}
    for value in values:
        _collect(value, "", leaves, keys)
    texts, counts = _redact(
        [*(text for text, _, _ in leaves), *keys],
        [*(before for _, before, _ in leaves), *[_APART] * len(keys)],
        classes,
    )
    if not counts:
        return list(values), counts
    keys = dict(zip(keys, texts[len(leaves) :], strict=True))
    replaced = iter(zip(texts[: len(leaves)], leaves, strict=True))
    return [_with_leaves(value, replaced, keys) for value in values], counts


def _collect(value: Any, before: str, leaves: list[_Leaf], keys: dict[str, str]) -> None:
    if isinstance(value, str):
        inner = _as_json(value)
        if inner is None:
            leaves.append((value, before, value))
        else:
            _collect(inner, before or _APART, leaves, keys)
    elif isinstance(value, int):
        if abs(value) > _SHORT:
            leaves.append((str(value), before, value))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            keys[key] = key
            said = f'"{key}": "' if TELLING_KEY.search(key) else ""
            _collect(one, _APART + said, leaves, keys)
    elif isinstance(value, list):
        for one in value:
            _collect(one, before or _APART, leaves, keys)


def _with_leaves(value: Any, leaves: Iterator[tuple[str, _Leaf]], keys: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        inner = _as_json(value)
        if inner is None:
            return next(leaves)[0]
        redacted = _with_leaves(inner, leaves, keys)
        return value if redacted == inner else json.dumps(redacted, ensure_ascii=False)
    if isinstance(value, int) and abs(value) > _SHORT:
        text, (before, _, number) = next(leaves)
        return number if text == before else text
    if isinstance(value, Mapping):
        return {keys[key]: _with_leaves(one, leaves, keys) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_leaves(one, leaves, keys) for one in value]
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
