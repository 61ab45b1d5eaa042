"""The report of an evaluation, and its place in the database, where analysts follow it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from psycopg import Connection

from tasks.database import query
from tasks.evaluate.exam import Exam
from tasks.evaluate.measures import Comparison, Outcome, compare, interval


@dataclass(frozen=True, slots=True)
class Figures:
    """One mode: the means and 95 % intervals of its measures, and latencies in milliseconds."""

    means: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came of an exam, in each mode."""

    exam: Exam
    model: str
    reranker: str
    modes: Mapping[str, Figures]
    comparisons: tuple[Comparison, ...]

    def as_json(self) -> dict[str, Any]:
        """The evaluation as plain values, ready for `json.dumps`."""
        return {
            "name": self.exam.name,
            "collection": self.exam.collection,
            "model": self.model,
            "reranker": self.reranker,
            "questions": len(self.exam.questions),
            "modes": {
                mode: {
                    **figures.means,
                    "intervals": {name: list(ends) for name, ends in figures.intervals.items()},
                    "latency_ms": {"p50": figures.p50_ms, "p95": figures.p95_ms},
                }
                for mode, figures in self.modes.items()
            },
            "comparisons": [
                {**asdict(one), "measure": "ndcg@10", "interval": list(one.interval)}
                for one in self.comparisons
            ],
        }


def evaluation(
    exam: Exam, outcomes: Mapping[str, Outcome], *, model: str, reranker: str
) -> Evaluation:
    """Means, intervals and comparisons of what each mode answered to the same questions."""
    gains = {mode: outcome.values["ndcg@10"] for mode, outcome in outcomes.items()}
    return Evaluation(
        exam=exam,
        model=model,
        reranker=reranker,
        modes={mode: _figures(outcome) for mode, outcome in outcomes.items()},
        comparisons=tuple(compare(gains)),
    )


def _figures(outcome: Outcome) -> Figures:
    p50, p95 = np.percentile(outcome.milliseconds, (50, 95))
    return Figures(
        means={name: float(values.mean()) for name, values in outcome.values.items()},
        intervals={name: interval(values) for name, values in outcome.values.items()},
        p50_ms=float(p50),
        p95_ms=float(p95),
    )


def store_evaluation(connection: Connection, made: Evaluation) -> int:
    """Keep the evaluation's figures; its id."""
    figures: list[tuple[str, str, float, float | None, float | None]] = []
    for mode, one in made.modes.items():
        figures += [(mode, name, one.means[name], *one.intervals[name]) for name in one.means]
        figures += [
            (mode, "p50_ms", one.p50_ms, None, None),
            (mode, "p95_ms", one.p95_ms, None, None),
        ]
    modes, measures, values, lows, highs = (list(column) for column in zip(*figures, strict=True))
    row = connection.execute(
        query("evaluation_store"),
        {
            "name": made.exam.name,
            "golden_set": made.exam.golden_set_id,
            "collection": made.exam.collection,
            "model": made.model,
            "reranker": made.reranker,
            "questions": len(made.exam.questions),
            "modes": modes,
            "measures": measures,
            "values": values,
            "lows": lows,
            "highs": highs,
        },
    ).fetchone()
    assert row is not None
    return int(row[0])
