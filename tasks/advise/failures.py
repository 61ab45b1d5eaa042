"""What goes wrong in answers, by kind, and which half of the system could mend it.

Rules over what people corrected, and over the scores of golden questions. A correction is compared
with the answer that it replaced: by its tool calls, by what it refuses, by the words that carry its
facts, and where those are the same by its shape and its wording. A number, a denial or a single
word that was replaced is a fact. A failure that no rule can tell is `unclear`, until a judge says.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.advise.figures import Figure, share
from tasks.advise.wording import content, decisive, denials, shape

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

_HELD = 0.6
"""A text that has this share of the words of a fact, and of the statement around it, says it."""
_FEW = 2
"""So many words replaced in a statement that stays are a fact; more may be other wording."""


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
    open_ones = [
        (place, one)
        for place, (kind, one) in enumerate(zip(kinds, corrections, strict=True))
        if kind is None and one is not None
    ]
    found = find([" ".join(sorted(content(one.wanted))) for _, one in open_ones])
    for (place, one), passage in zip(open_ones, found, strict=True):
        told = _says(passage, _news(one), content(one.wanted))
        kinds[place] = "missed" if told else "unknown" if _replaces_a_fact(one) else "unclear"
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
            _scored(row["scores"], row["half"], row["held"]),
            "golden questions",
            row["item"],
            row["answer"] or "",
            row["expected_answer"],
        )
        for row in rows
        if row["scores"].get("correct", 1.0) < 1.0
    ]


def mended(failures: Sequence[Failure], command: str) -> dict[str, Figure]:
    """The share of the failures whose kind is known that each way could mend; a failure that two
    ways could mend counts for both."""
    told = [KINDS[one.kind].mended_by for one in failures if KINDS[one.kind].half]
    return {
        way: share(sum(way in ways for ways in told), len(told), command)
        for way in (RETRIEVAL, DOCUMENTS, PROMPT, TRAINING)
    }


def _scored(scores: Mapping[str, float], half: str | None, held: bool | None) -> str:
    """The kind; `half` as openbook.failed_half has it, `held` whether the expected documents are in
    the book, None where none is named."""
    if scores.get("schema", 1.0) < 1.0:
        return "format"
    if half == "retrieval":
        return "unclear" if held is None else "missed" if held else "unknown"
    if scores.get("format", 1.0) < 1.0:
        return "format"
    if scores.get("refusal", 1.0) < 1.0:
        return "refusal"
    return "unused" if half == "generation" and "context_recall" in scores else "unclear"


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
    answer, wanted = content(one.answer), content(one.wanted)
    added, dropped = wanted - answer, answer - wanted
    reshaped = shape(one.answer) != shape(one.wanted)
    same_facts = not decisive(added | dropped) and (not added or (reshaped and not dropped))
    if same_facts:
        style = "style" if not 0 < len(dropped) <= _FEW else "unclear"
        return "format" if reshaped else style
    if _says(one.outdated, dropped, answer):
        return "stale"
    news = _news(one)
    shown = _says(one.shown or "", news, wanted)
    return "unused" if shown else None if news else "unclear"


def _calls(calls: Any) -> list[tuple[str, Any]]:
    named = [call.get("function") or {} for call in calls or () if isinstance(call, dict)]
    return sorted((str(one.get("name")), _parsed(one.get("arguments"))) for one in named)


def _parsed(arguments: Any) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (TypeError, ValueError):
        return str(arguments)


def _news(one: _Correction) -> frozenset[str]:
    """The words by which a passage that says the fact is known: new, and no mere denial."""
    added = content(one.wanted) - content(one.answer)
    added -= denials(added)
    return added - content(one.question) or added


def _replaces_a_fact(one: _Correction) -> bool:
    """Whether the correction says something else, and not only in other words."""
    answer, wanted = content(one.answer), content(one.wanted)
    added, dropped = wanted - answer, answer - wanted
    few = max(len(added), len(dropped)) <= _FEW and bool(answer & wanted)
    return few or not dropped or bool(decisive(added | dropped))


def _says(text: str, fact: frozenset[str], statement: frozenset[str]) -> bool:
    words = content(text)
    return bool(fact) and all(len(part & words) >= _HELD * len(part) for part in (fact, statement))
