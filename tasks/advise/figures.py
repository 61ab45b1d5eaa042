"""A measured figure with its uncertainty, and the command that measures it where it is missing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
_Z = 1.959964
"""The normal distribution's quantile for a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` in `unit`; None: not known, and `command` measures it.

    `hits` of `n` for a share; `low` and `high` are the ends of a 95 % interval for a figure that is
    estimated; neither for one that is counted. `rest_of` is the share that this one leaves out.
    """

    value: float | None
    unit: str
    command: str
    hits: int | None = None
    n: int | None = None
    low: float | None = None
    high: float | None = None
    rest_of: Figure | None = None

    def draws(self, random: np.random.Generator, size: int) -> Values | None:
        """Values that the figure may truly have; None when nothing is known of it.

        A share is drawn from its posterior under a uniform prior (Beta), an estimate from the
        normal distribution of its interval.
        """
        if self.value is None:
            return None
        if self.hits is not None and self.n is not None:
            return random.beta(self.hits + 1, self.n - self.hits + 1, size)
        if self.low is not None and self.high is not None:
            return random.normal(self.value, (self.high - self.low) / (2 * _Z), size)
        return np.full(size, self.value)

    def as_json(self) -> dict[str, Any]:
        """What is known of it, as the report shows it."""
        return {
            "value": self.value,
            "unit": self.unit,
            "n": self.n,
            "interval": None if self.low is None else [self.low, self.high],
        }


def counted(value: float | None, unit: str, command: str) -> Figure:
    """A figure without uncertainty, or an unknown one."""
    return Figure(None if value is None else float(value), unit, command)


def share(hits: int, n: int, command: str) -> Figure:
    """`hits` of `n`, with Wilson's 95 % interval (Wilson 1927); unknown where n is 0."""
    if n == 0:
        return Figure(None, "share", command)
    p = hits / n
    middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return Figure(p, "share", command, hits, n, max(0.0, middle - reach), min(1.0, middle + reach))


def rest(other: Figure) -> Figure:
    """The share of all that the other share leaves out."""
    if other.value is None or other.hits is None or other.n is None:
        return other
    return replace(share(other.n - other.hits, other.n, other.command), rest_of=other)


def draw(
    figures: Sequence[Figure], random: np.random.Generator, size: int
) -> dict[Figure, Values | None]:
    """Values that the figures may truly have, together: a share and its rest make up all."""
    drawn: dict[Figure, Values | None] = {}
    for one in figures:
        other = None if one.rest_of is None else drawn.get(one.rest_of)
        drawn[one] = one.draws(random, size) if other is None else 1 - other
    return drawn
