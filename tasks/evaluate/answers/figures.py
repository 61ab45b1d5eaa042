"""What an examination's items come to: means with intervals, and two examinations item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from psycopg import Connection

from tasks.database import query
from tasks.errors import Rejected
from tasks.evaluate.measures import Values, interval, randomised

MEASURES = (
    "correct",
    "format",
    "schema",
    "exact",
    "token_f1",
    "citation_precision",
    "citation_recall",
    "grounded",
    "refusal",
    "retrieval_recall",
    "context_recall",
    "nll",
)
"""In the order in which reports show them."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure's mean over the items that it applies to, with its 95 % bootstrap interval."""

    value: float
    interval: tuple[float, float]
    items: int


@dataclass(frozen=True, slots=True)
class Difference:
    """A measure of one examination less that of another, over the items that both answered.

    `better` and `worse` count items; p is two-sided, by a paired randomisation test.
    """

    value: float
    interval: tuple[float, float]
    p: float
    items: int
    better: int
    worse: int


def figures(connection: Connection, evaluation: int) -> dict[str, Figure]:
    """Each measure's figure, of the items that are there."""
    return {
        measure: Figure(float(values.mean()), interval(values), len(values))
        for measure, by_item in scores_by_measure(connection, evaluation).items()
        for values in [np.array(list(by_item.values()))]
    }


def close(connection: Connection, evaluation: int) -> None:
    """Keep the figures, and say that the examination has ended."""
    with connection.transaction():
        found = figures(connection, evaluation)
        items = connection.execute(
            "select count(*) from openbook.answer_results where answer_evaluation_id = %s",
            [evaluation],
        ).fetchone()
        assert items is not None
        connection.execute(
            query("examination_finish"),
            {
                "evaluation": evaluation,
                "questions": items[0],
                "measures": list(found),
                "values": [one.value for one in found.values()],
                "lows": [one.interval[0] for one in found.values()],
                "highs": [one.interval[1] for one in found.values()],
                "items": [one.items for one in found.values()],
            },
        )


def differences(connection: Connection, evaluation: int, other: int) -> dict[str, Difference]:
    """How the examination differs from the other, by measure that both have on the same items.

    Raises Rejected where no item is in both.
    """
    ours, theirs = (scores_by_measure(connection, one) for one in (evaluation, other))
    found = {
        measure: _difference(ours[measure], theirs[measure], items)
        for measure in ours
        if measure in theirs
        and (items := [item for item in ours[measure] if item in theirs[measure]])
    }
    if not found:
        raise Rejected(
            f"examinations {evaluation} and {other} have no item in common",
            "Compare two examinations of the same golden set.",
        )
    return found


def scores_by_measure(connection: Connection, evaluation: int) -> dict[str, dict[str, float]]:
    """By measure, in the order of reports, each item's score."""
    rows = connection.execute(
        "select measure, item, value from openbook.answer_scores where answer_evaluation_id = %s"
        " order by item",
        [evaluation],
    ).fetchall()
    found: dict[str, dict[str, float]] = {}
    for measure, item, value in rows:
        found.setdefault(measure, {})[item] = value
    return {measure: found[measure] for measure in sorted(found, key=_place)}


def _place(measure: str) -> int:
    return MEASURES.index(measure) if measure in MEASURES else len(MEASURES)


def _difference(
    ours: Mapping[str, float], theirs: Mapping[str, float], items: list[str]
) -> Difference:
    values: Values = np.array([ours[item] - theirs[item] for item in items])
    return Difference(
        float(values.mean()),
        interval(values),
        randomised(values),
        len(items),
        int((values > 0).sum()),
        int((values < 0).sum()),
    )
