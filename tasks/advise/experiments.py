"""The same golden questions under several conditions, and what so many questions can show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tasks.statistics import Comparison, Values, compare, unseen_loss

LEAST_QUESTIONS = 20
"""Fewer compare nothing, as for the gate of a retraining."""
CONFIDENCE = 0.95

Pair = tuple[str, str]
Compared = Mapping[Pair, Comparison]


@dataclass(frozen=True, slots=True)
class Experiments:
    """One golden set asked of one model, and of what was trained upon it, if that serves.

    `correct` has by condition a value a question. Conditions: prompt, long-context, rag, oracle
    (the expected sources themselves), fine-tuning and rag + fine-tuning. Only questions that a pair
    of conditions share are compared.
    """

    golden_set: str | None
    models: Mapping[str, str]
    correct: Mapping[str, Mapping[str, float]]

    def compare(self, one: str, other: str) -> Comparison | None:
        """`one` less `other` on the questions of both; None for fewer than 20.

        The interval reaches in both directions as far as one question more could draw it, so that
        conditions which agree on all that was asked are not taken to agree on everything.
        """
        shared = self._shared(one, other)
        if len(shared) < LEAST_QUESTIONS:
            return None
        found = compare(self._values(one, shared), self._values(other, shared), CONFIDENCE)
        differences = self._values(one, shared) - self._values(other, shared)
        return replace(
            found,
            low=min(found.low, unseen_loss(differences, CONFIDENCE)),
            high=max(found.high, -unseen_loss(-differences, CONFIDENCE)),
        )

    def compared(self, conditions: Sequence[str]) -> dict[Pair, Comparison]:
        """Every comparison of two of the conditions that there are questions for."""
        pairs = [(one, other) for one in conditions for other in conditions if one != other]
        return {
            pair: found for pair in pairs if (found := self.compare(*pair)) is not None
        }  # fmt: skip

    def worlds(
        self, compared: Compared, random: np.random.Generator, size: int
    ) -> list[dict[Pair, Comparison]]:
        """The comparisons in `size` worlds, each of which weighs the questions anew.

        The weights are the Bayesian bootstrap's (Rubin, Annals of Statistics 9, 1981), the same for
        all pairs of a world; an interval keeps its width.
        """
        items = sorted({item for values in self.correct.values() for item in values})
        weights = random.standard_exponential((size, len(items)))
        places = {item: place for place, item in enumerate(items)}
        drawn: list[dict[Pair, Comparison]] = [{} for _ in range(size)]
        for (one, other), found in compared.items():
            shared = self._shared(one, other)
            differences = self._values(one, shared) - self._values(other, shared)
            weighed = weights[:, [places[item] for item in shared]]
            for world, mean in zip(drawn, weighed @ differences / weighed.sum(1), strict=True):
                by = float(mean) - found.difference
                world[one, other] = replace(
                    found, difference=float(mean), low=found.low + by, high=found.high + by, p=None
                )
        return drawn

    def _shared(self, one: str, other: str) -> list[str]:
        return sorted(self.correct.get(one, {}).keys() & self.correct.get(other, {}).keys())

    def _values(self, condition: str, items: Sequence[str]) -> Values:
        return np.array([self.correct[condition][item] for item in items])


def experiments(rows: Sequence[Mapping[str, Any]]) -> Experiments:
    """The experiments among the rows of the query advise_experiments."""
    correct: dict[str, dict[str, float]] = {}
    for row in rows:
        if "correct" in row["scores"]:
            correct.setdefault(row["condition"], {})[row["item"]] = float(row["scores"]["correct"])
    return Experiments(
        rows[0]["name"] if rows else None, {row["condition"]: row["model"] for row in rows}, correct
    )
