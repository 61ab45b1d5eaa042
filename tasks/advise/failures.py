"""What goes wrong in answers, by kind, and which half of the system could mend it.

Rules over what people corrected, and over the scores of golden questions. A correction is compared
with the answer that it replaced: by its tool calls, by what it refuses, by its facts (numbers and
long words), by its shape, and by its wording, in this order. A failure that no rule can tell is
`unclear`, until a judge says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KNOWLEDGE, BEHAVIOUR = "knowledge", "behaviour"
RETRIEVAL, DOCUMENTS, PROMPT, TRAINING = "retrieval", "documents", "prompt", "training"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of failure: what it says, the half that it belongs to, and what could mend it."""

    says: str
    half: str | None
    mended_by: tuple[str, ...]


KINDS = {
    "stale": Kind("it says what was true before", KNOWLEDGE, (RETRIEVAL,)),
    "missed": Kind("the documents say it, and retrieval did not show it", KNOWLEDGE, (RETRIEVAL,)),
    "unknown": Kind("no document says it", KNOWLEDGE, (DOCUMENTS,)),
    "unused": Kind("it was shown the passage and says otherwise", BEHAVIOUR, (PROMPT, TRAINING)),
    "format": Kind("the facts are right and the form is not", BEHAVIOUR, (PROMPT, TRAINING)),
    "style": Kind(
        "the facts are right and the tone or length is not", BEHAVIOUR, (PROMPT, TRAINING)
    ),
    "refusal": Kind("it declines what it should answer", BEHAVIOUR, (PROMPT, TRAINING)),
    "tool": Kind("it calls the wrong tool, or calls it wrongly", BEHAVIOUR, (PROMPT, TRAINING)),
    "unclear": Kind("nobody said what was wrong with it", None, ()),
}

_WORD = re.compile(r"[^\W_]+")
_LONG_WORD = 5
_SAME_WORDS = 0.6
"""Answers that share this much of their words (F1) say the same in other words."""
_HELD = 0.6
"""A text that has this share of a fact's words says it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One answer that failed; `wanted` is what it should have been, where that is known."""

    kind: str
    source: str
    question: str
    answer: str
    wanted: str | None


@dataclass(frozen=True, slots=True)
class _Correction:
    question: str
    answer: str
    wanted: str
    shown: str | None
    outdated: str
    answer_calls: Any
    wanted_calls: Any


Refuses = Callable[[str], bool]
FindPassages = Callable[[Sequence[str]], Sequence[str]]


def judged_failures(
    rows: Sequence[Mapping[str, Any]], refuses: Refuses, find: FindPassages
) -> list[Failure]:
    """Failures among answers that people judged, as the query advise_judged gives them.

    `refuses` says whether a text declines to answer; `find` gives for each text of some words the
    passage of the book that has most of them, or an empty text.
    """
    kinds: list[str | None] = []
    corrections = [_correction(row) for row in rows]
    for row, one in zip(rows, corrections, strict=True):
        if one is None:
            refused = refuses(str(row["content"] or ""))
            kinds.append("refusal" if refused else row["told"] or "unclear")
        else:
            kinds.append(_corrected(one, refuses))
    open_ones = [place for place, kind in enumerate(kinds) if kind is None]
    found = find([" ".join(sorted(_news(corrections[place]))) for place in open_ones])
    for place, passage in zip(open_ones, found, strict=True):
        kinds[place] = "missed" if _says(passage, _news(corrections[place])) else "unknown"
    return [
        Failure(
            kind or "unclear",
            "feedback",
            row["question"] or "",
            one.answer if one else str(row["content"] or ""),
            one.wanted if one else None,
        )
        for row, one, kind in zip(rows, corrections, kinds, strict=True)
    ]


def golden_failures(rows: Sequence[Mapping[str, Any]]) -> list[Failure]:
    """Failures among answers to golden questions, as the query advise_experiments gives them."""
    return [
        Failure(
            _scored(row["scores"], row["held"]),
            "golden questions",
            row["item"],
            row["answer"] or "",
            row["expected_answer"],
        )
        for row in rows
        if row["scores"].get("correct", 1.0) < 1.0
    ]


def _scored(scores: Mapping[str, float], held: bool | None) -> str:
    if min(scores.get("format", 1.0), scores.get("schema", 1.0)) < 1.0:
        return "format"
    if scores.get("refusal", 1.0) < 1.0:
        return "refusal"
    if "retrieval_recall" not in scores:
        return "unclear"
    if scores["retrieval_recall"] >= 1.0:
        return "unused"
    return "missed" if held else "unknown"


def _correction(row: Mapping[str, Any]) -> _Correction | None:
    other = row["alternative"]
    if row["kind"] not in ("correction", "regeneration") or other is None:
        return None
    mine, theirs = (row["content"], row["tool_calls"]), (_text(other), other.get("tool_calls"))
    if row["kind"] == "regeneration":  # the message is the answer that was kept
        mine, theirs = theirs, mine
    return _Correction(
        row["question"] or "", mine[0] or "", theirs[0] or "", row["shown"], row["outdated"],
        mine[1], theirs[1],
    )  # fmt: skip


def _text(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return "\n\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _corrected(one: _Correction, refuses: Refuses) -> str | None:
    """The kind; None: a fact that was not shown, which the book may hold or not."""
    if _calls(one.answer_calls) != _calls(one.wanted_calls):
        return "tool"
    if refuses(one.answer) and not refuses(one.wanted):
        return "refusal"
    news = _news(one)
    same_numbers = _numbers(one.wanted) <= _numbers(one.answer)
    if not news or (same_numbers and _alike(one.answer, one.wanted)):
        return "format" if _shape(one.answer) != _shape(one.wanted) else "style"
    wrong = _informative(one.answer) - _informative(one.wanted) - _informative(one.question)
    if _says(one.outdated, wrong):
        return "stale"
    return "unused" if _says(one.shown or "", news) else None


def _calls(calls: Any) -> list[tuple[str, Any]]:
    named = [call.get("function") or {} for call in calls or () if isinstance(call, dict)]
    return sorted((str(one.get("name")), _parsed(one.get("arguments"))) for one in named)


def _parsed(arguments: Any) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (TypeError, ValueError):
        return str(arguments)


def _informative(text: str) -> set[str]:
    """Numbers and long words, lower-cased: what a fact is told by."""
    words = {word.lower() for word in _WORD.findall(text)}
    return {w for w in words if len(w) >= _LONG_WORD or any(c.isdigit() for c in w)}


def _numbers(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if any(c.isdigit() for c in word)}


def _news(one: _Correction | None) -> set[str]:
    """What the correction says, and neither the answer nor the question did."""
    if one is None:
        return set()
    return _informative(one.wanted) - _informative(one.answer) - _informative(one.question)


def _says(text: str, words: set[str]) -> bool:
    return bool(words) and len(words & _informative(text)) >= _HELD * len(words)


def _alike(one: str, other: str) -> bool:
    """Whether one says what the other says, wholly or in other words."""
    first, second = _informative(one), _informative(other)
    if not first or not second:
        return first == second
    shared = len(first & second)
    return (
        2 * shared >= _SAME_WORDS * (len(first) + len(second))
        or shared >= 0.8 * min(len(first), len(second))
    )  # fmt: skip


def _shape(text: str) -> tuple[bool, ...]:
    """Which forms a text has: JSON, a code block, a table, a list, headings."""
    try:
        is_json = isinstance(json.loads(text), dict | list)
    except ValueError:
        is_json = False
    return (
        is_json,
        "```" in text,
        bool(re.search(r"^\s*\|.*\|\s*$", text, re.MULTILINE)),
        bool(re.search(r"^\s*(?:[-*•]|\d+[.)])\s", text, re.MULTILINE)),
        bool(re.search(r"^#{1,6}\s", text, re.MULTILINE)),
    )
