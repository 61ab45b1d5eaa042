"""What a model scored in an examination, item by item, as the gate reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.records import ChatModel


@dataclass(frozen=True, slots=True)
class Examination:
    """A model's answers to a golden set: by item and measure a value, {} where none came.

    `purpose` is that of openbook.golden_sets; `questions` is how many were to be asked, and
    `exam_sha256` of them and of all that scores them.
    """

    name: str
    purpose: str
    model: str
    questions: int
    finished: bool
    scores: Mapping[str, Mapping[str, float]]
    exam_sha256: bytes | None = None

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


@dataclass(frozen=True, slots=True)
class Sitting:
    """An exam as it is now: its golden set's name, the strategy, and the hash of its questions."""

    name: str
    strategy: str
    exam_sha256: bytes


def examinations_of(
    connection: Connection,
    model: ChatModel,
    sittings: Sequence[Sitting],
    settings: Mapping[str, Any],
) -> list[Examination]:
    """The model's ended examinations, one of each sitting that it had; the newest of several.

    Those alone that were made under the same settings, of the same questions, and of the same model
    at the same place: what has changed since is not examined.
    """
    rows = connection.execute(
        query("examinations_of"),
        {
            "names": [one.name for one in sittings],
            "strategies": [one.strategy for one in sittings],
            "hashes": [one.exam_sha256 for one in sittings],
            "settings": Jsonb(dict(settings)),
            "chat_model": model.id,
            "endpoint_model": model.model,
            "endpoint_url": model.url,
        },
    ).fetchall()
    return examinations(connection, [id for (id,) in rows])


def examinations(connection: Connection, ids: Sequence[int]) -> list[Examination]:
    """The examinations of those ids, in their order."""
    rows = connection.execute(query("examinations"), {"ids": list(ids)}).fetchall()
    scores: dict[int, dict[str, dict[str, float]]] = {id: {} for id in ids}
    found: dict[int, Examination] = {}
    for id, name, purpose, model, questions, finished, sha256, item, measures, values in rows:
        found[id] = Examination(name, purpose, model, questions, finished, scores[id], sha256)
        if item is not None:
            scores[id][item] = dict(zip(measures, values, strict=True))
    return [found[id] for id in ids if id in found]
