"""The report of an examination, with what search found and what the model made of it told apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from psycopg import Connection
from psycopg.rows import dict_row

from tasks.database import query
from tasks.errors import Rejected
from tasks.evaluate.answers.figures import Difference, Figure, differences, figures
from tasks.evaluate.answers.judge import preference
from tasks.evaluate.measures import interval

Half = Literal["retrieval", "generation", "unclear"]


@dataclass(frozen=True, slots=True)
class Item:
    """One question of an examination: the answer, and by measure its score with what was missing.

    `reason` says why there is no answer, or why it was cut; `half` which half failed, as
    openbook.failed_half has it, None where none did.
    """

    question: str
    answer: str | None
    expected: str | None
    reason: str | None
    scores: Mapping[str, tuple[float, str | None]]
    retrieval_ms: int | None
    generation_ms: int | None
    half: Half | None

    @property
    def correct(self) -> bool | None:
        """Whether every check holds; None: the question has none, or there is no answer yet."""
        return self.scores["correct"][0] == 1 if "correct" in self.scores else None

    @property
    def was_shown(self) -> bool | None:
        """Whether an expected document was among the passages; None: nothing was to be found."""
        found = self.scores.get("retrieval_recall")
        return None if found is None else found[0] > 0

    @property
    def missing(self) -> str:
        """What the checks missed, and what search did."""
        details = [self.scores[name][1] for name in ("correct", "retrieval_recall")
                   if name in self.scores]  # fmt: skip
        return "; ".join([one for one in [self.reason, *details] if one])


@dataclass(frozen=True, slots=True)
class Report:
    """An examination: its row, its items, its figures, and how another one compares.

    `verdicts` are those of the judge, one a question that it compared.
    """

    examination: Mapping[str, Any]
    items: tuple[Item, ...]
    figures: Mapping[str, Figure]
    against: Mapping[str, Any] | None = None
    differences: Mapping[str, Difference] | None = None
    verdicts: tuple[str, ...] = ()

    @property
    def failures(self) -> list[Item]:
        """The items that were answered wrongly."""
        return [item for item in self.items if item.half is not None]

    @property
    def unanswered(self) -> list[Item]:
        """The items that have no score yet."""
        return [item for item in self.items if not item.scores]

    @property
    def halves(self) -> dict[str, int]:
        """How many answers were right and wrong, by whether an expected document was shown."""
        counted = Counter(
            (item.was_shown, item.correct)
            for item in self.items
            if item.correct is not None and item.was_shown is not None
        )
        return {
            "shown, right": counted[True, True],
            "shown, wrong": counted[True, False],
            "not shown, right": counted[False, True],
            "not shown, wrong": counted[False, False],
        }

    @property
    def preference(self) -> dict[str, Any] | None:
        """How often the judge preferred these answers, ties counting half; None: not asked."""
        if not self.verdicts:
            return None
        values = np.array(preference(self.verdicts))
        counts = Counter(self.verdicts)
        return {
            "judge": self.examination["judge"],
            "value": float(values.mean()),
            "interval": list(interval(values)),
            **{verdict: counts[verdict] for verdict in ("win", "tie", "loss")},
        }

    @property
    def advice(self) -> str:
        """Which half to mend."""
        lost = Counter(item.half for item in self.failures)
        if not any(item.correct is not None for item in self.items):
            return ""
        if not self.failures:
            return "No answer failed a check."
        if all(item.was_shown is None for item in self.items):
            return f"Mend generation: {_failures(lost['generation'])}; search was not asked."
        said = (
            f"search did not show the answer for {_failures(lost['retrieval'])}, "
            f"the model had it for {_failures(lost['generation'])}"
        )
        if lost["unclear"]:
            said += f", no expected answer tells for {_failures(lost['unclear'])}"
        if lost["retrieval"] == lost["generation"] == 0:
            return f"Write expected answers first: {said}."
        half = "retrieval" if lost["retrieval"] >= lost["generation"] else "generation"
        return f"Mend {half} first: {said}."

    def as_json(self) -> dict[str, Any]:
        """The report as plain values, ready for `json.dumps`."""
        return {
            **{name: value for name, value in self.examination.items() if name != "settings"},
            "finished": self.examination["finished_at"] is not None,
            "measures": {
                name: {"value": one.value, "interval": list(one.interval), "items": one.items}
                for name, one in self.figures.items()
            },
            "halves": self.halves,
            "advice": self.advice,
            "latency_ms": _latencies(self.items),
            "failures": [
                {
                    "question": item.question,
                    "answer": item.answer,
                    "expected": item.expected,
                    "half": item.half,
                    "missing": item.missing,
                }
                for item in self.failures
            ],
            "unanswered": [
                {"question": item.question, "reason": item.reason} for item in self.unanswered
            ],
            "against": None
            if self.against is None
            else {
                **{name: self.against[name] for name in ("id", "model", "strategy")},
                "measures": {
                    name: {
                        "difference": one.value,
                        "interval": list(one.interval),
                        "p": one.p,
                        "items": one.items,
                        "higher": one.better,
                        "lower": one.worse,
                    }
                    for name, one in (self.differences or {}).items()
                },
                "preference": self.preference,
            },
        }


def report(connection: Connection, evaluation: int, against: int | None = None) -> Report:
    """The report of an examination, compared with another one where it is given.

    Raises Rejected for an unknown examination, and for two that have no item in common.
    """
    with connection.transaction():
        other = None if against is None else examination(connection, against)
        asked = {"evaluation": evaluation, "other": against}
        verdicts = tuple(str(one) for (one,) in connection.execute(query("verdicts"), asked))
        return Report(
            examination(connection, evaluation),
            tuple(_items(connection, evaluation)),
            figures(connection, evaluation),
            other,
            None if against is None else differences(connection, evaluation, against),
            verdicts,
        )


def examination(connection: Connection, id: int) -> dict[str, Any]:
    """The row of an examination; raises Rejected for one that is not there."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(query("examination"), {"evaluation": id}).fetchone()
    if row is None:
        raise Rejected(
            f"there is no examination {id}", "See analytics.answer_evaluations for their numbers."
        )
    return row


def before(connection: Connection, evaluation: int) -> int | None:
    """The examination that last asked the same questions and ended."""
    row = connection.execute(query("examination_before"), {"evaluation": evaluation}).fetchone()
    return None if row is None else int(row[0])


def _items(connection: Connection, evaluation: int) -> list[Item]:
    rows = connection.execute(query("examination_items"), {"evaluation": evaluation}).fetchall()
    return [
        Item(
            question,
            answer,
            expected,
            reason,
            {measure: (value, detail) for measure, (value, detail) in scores.items()},
            retrieval_ms,
            generation_ms,
            half,
        )
        for question, answer, reason, expected, retrieval_ms, generation_ms, scores, half in rows
    ]


def _latencies(items: Sequence[Item]) -> dict[str, dict[str, float]]:
    """The median and the 95th percentile of each half, in milliseconds."""
    found = {}
    for half, values in (
        ("retrieval", [one.retrieval_ms for one in items if one.retrieval_ms is not None]),
        ("generation", [one.generation_ms for one in items if one.generation_ms is not None]),
    ):
        if values:
            p50, p95 = np.percentile(values, (50, 95))
            found[half] = {"p50": float(p50), "p95": float(p95)}
    return found


def _failures(count: int) -> str:
    return f"{count:,} failure" + ("" if count == 1 else "s")
