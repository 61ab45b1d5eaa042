"""What a model scored in an examination, item by item, as the gate reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

from psycopg import Connection

from tasks.database import query


@dataclass(frozen=True, slots=True)
class Examination:
    """A model's answers to a golden set: by item and measure a value, {} where none came.

    `purpose` is that of openbook.golden_sets; `questions` is how many were to be asked.
    """

    name: str
    purpose: str
    model: str
    questions: int
    finished: bool
    scores: Mapping[str, Mapping[str, float]]

    @property
    def answered(self) -> list[str]:
        """The items that have a score."""
        return [item for item, values in self.scores.items() if values]

    @property
    def measures(self) -> set[str]:
        """The measures that some item has."""
        return {measure for values in self.scores.values() for measure in values}

    @property
    def has_nan(self) -> bool:
        """Whether some value is no number."""
        return not all(isfinite(one) for values in self.scores.values() for one in values.values())

    def count(self, measure: str) -> int:
        """How many items have the measure."""
        return sum(measure in values for values in self.scores.values())

    def mean(self, measure: str) -> float | None:
        """Over the items that have it; None where none has, or a value is no number."""
        values = [one[measure] for one in self.scores.values() if measure in one]
        total = sum(values)
        return total / len(values) if values and isfinite(total) else None


def examinations_of(connection: Connection, cycle: int, model_id: int | None) -> list[Examination]:
    """A model's ended examinations in a cycle, one a set; None: those of the configured one."""
    rows = connection.execute(
        query("examinations_of"), {"cycle": str(cycle), "model": model_id}
    ).fetchall()
    return examinations(connection, [id for (id,) in rows])


def examinations(connection: Connection, ids: Sequence[int]) -> list[Examination]:
    """The examinations of those ids, in their order."""
    rows = connection.execute(query("examinations"), {"ids": list(ids)}).fetchall()
    scores: dict[int, dict[str, dict[str, float]]] = {id: {} for id in ids}
    found: dict[int, Examination] = {}
    for id, name, purpose, model, questions, finished, item, measures, values in rows:
        found[id] = Examination(name, purpose, model, questions, finished, scores[id])
        if item is not None:
            scores[id][item] = dict(zip(measures, values, strict=True))
    return [found[id] for id in ids if id in found]
