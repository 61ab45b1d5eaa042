"""Two models on the same items: the difference, how sure it is, and what so many items can show."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb, sqrt
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Verdict = Literal["better", "not worse", "inconclusive", "worse"]

POWER = 0.8
_SAMPLES = 10_000
_SEED = 20260
_AT_ONCE = 2_000_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Mean of the candidate less mean of the other, over `items` pairs, with its interval.

    The interval is the bootstrap's; where that leaves 0 out, it reaches at least as far as one pair
    more would draw it, whose loss (or gain) is as large as a measure of 0 to 1 can have.
    `p` is McNemar's, two-sided, where every value is 0 or 1; None for graded values.
    `minimum_detectable` is the smallest true difference that so many items show with power .8.
    """

    items: int
    candidate: float
    other: float
    difference: float
    low: float
    high: float
    p: float | None
    minimum_detectable: float


def compare(candidate: Values, other: Values, confidence: float = 0.95) -> Comparison:
    """Compare two models' values of the same items, [items] each, in the same order.

    Raises ValueError for none, for unequal numbers, and for a value that is no number.
    """
    if len(candidate) != len(other) or not len(candidate):
        raise ValueError(f"{len(candidate)} values cannot be paired with {len(other)}")
    if not (np.isfinite(candidate).all() and np.isfinite(other).all()):
        raise ValueError("a value is no number")
    differences = candidate - other
    binary = bool(np.isin(candidate, (0, 1)).all() and np.isin(other, (0, 1)).all())
    low, high = np.clip(bootstrap(differences, confidence), -1.0, 1.0).tolist()
    if low > 0:
        low = min(low, unseen_loss(differences, confidence))
    elif high < 0:
        high = max(high, -unseen_loss(-differences, confidence))
    wins, losses = int((differences > 0).sum()), int((differences < 0).sum())
    return Comparison(
        items=len(differences),
        candidate=float(candidate.mean()),
        other=float(other.mean()),
        difference=float(differences.mean()),
        low=low,
        high=high,
        p=mcnemar(wins, losses) if binary else None,
        minimum_detectable=minimum_detectable(
            len(differences), float((differences**2).mean()), confidence, binary
        ),
    )


def verdict(found: Comparison, margin: float, tolerance: float, confidence: float) -> Verdict:
    """What a comparison says of the candidate.

    `better`: the interval lies above the margin, and McNemar's test agrees where it applies;
    `worse`: it lies below 0; `not worse`: it lies above minus the tolerance; else `inconclusive`.
    """
    sure = found.p is None or found.p <= 1 - confidence
    if found.low > margin and found.difference > 0 and sure:
        return "better"
    if found.high < 0 and sure:
        return "worse"
    return "not worse" if found.low > -tolerance else "inconclusive"


def bootstrap(differences: Values, confidence: float) -> tuple[float, float]:
    """The interval of a mean by resampling the pairs, the same each time; both ends are means.

    The percentile interval, expanded to the width of Student's where there are few items
    (Efron and Tibshirani 1993, chapter 13; Hesterberg, The American Statistician 69, 2015, 3.3).
    """
    items = len(differences)
    if items < 2:
        return -float("inf"), float("inf")
    values, counts = np.unique(differences, return_counts=True)
    random = np.random.default_rng(_SEED)
    if len(values) <= items / 2:  # how often each value is drawn, at once
        means = random.multinomial(items, counts / items, _SAMPLES) @ values / items
    else:
        ordered, rows = np.repeat(values, counts), max(1, _AT_ONCE // items)
        means = np.concatenate(
            [
                ordered[random.integers(0, items, (min(rows, _SAMPLES - start), items))].mean(1)
                for start in range(0, _SAMPLES, rows)
            ]
        )
    wider = sqrt(items / (items - 1)) * student((1 + confidence) / 2, items - 1)
    tail = 100 * _NORMAL.cdf(-wider)
    low, high = np.percentile(means, (tail, 100 - tail))
    return float(low), float(high)


def unseen_loss(differences: Values, confidence: float) -> float:
    """The lower end of a mean of values from -1 to 1 of which the worst may not have been seen.

    Few items seldom show a loss that is rare and large, and resampling them shows none that they
    lack. So one loss of 1 is added, and pairs are weighted at random (Gaffke, Mathematical Methods
    of Statistics 14, 2005; Learned-Miller and Thomas, arXiv 1905.06208). Of wins and losses alone
    it is above 0 when the sign test is sure.
    """
    values, counts = np.unique(np.append(differences, -1.0), return_counts=True)
    random, rows = np.random.default_rng(_SEED), max(1, _AT_ONCE // len(values))
    means = []
    for start in range(0, _SAMPLES, rows):
        weights = random.standard_gamma(counts, (min(rows, _SAMPLES - start), len(values)))
        means.append(weights @ values / weights.sum(1))
    return float(np.percentile(np.concatenate(means), 50 * (1 - confidence)))


def student(probability: float, freedom: int) -> float:
    """Student's t of that probability, above .5, and degrees of freedom.

    Exact for 1 and 2; else the expansion of Abramowitz and Stegun 1964, 26.7.5.
    """
    if freedom == 1:
        return float(np.tan(np.pi * (probability - 0.5)))
    if freedom == 2:
        centred = 2 * probability - 1
        return float(centred * sqrt(2 / (1 - centred**2)))
    z, n = _NORMAL.inv_cdf(probability), freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


def mcnemar(wins: int, losses: int) -> float:
    """The exact two-sided p of so many items that one passes and the other fails.

    McNemar, Psychometrika 12 (1947): under no difference, wins are binomial with 1/2.
    """
    discordant = wins + losses
    tail = sum(comb(discordant, k) for k in range(min(wins, losses) + 1))
    return float(min(1, 2 * tail / 2**discordant))


def minimum_detectable(items: int, square: float, confidence: float, binary: bool) -> float:
    """The smallest true difference that so many pairs show with power .8; at most 1.

    `square` is the mean squared difference: of pass or fail, the share of discordant items. By
    Connor's sample size (Biometrics 43, 1987) solved for the difference: where as many items would
    have to differ as the difference demands, they do. Graded values carry the loss that
    `unseen_loss` adds.
    """
    sure, power = _NORMAL.inv_cdf((1 + confidence) / 2), _NORMAL.inv_cdf(POWER)
    floor = binary or square == 0
    unseen = 0.0 if binary else 1 / (items + 1)
    square += unseen * (1 - square)
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        spread = max(square, middle if floor else middle**2)
        needed = (sure * sqrt(spread) + power * sqrt(spread - middle**2)) ** 2
        low, high = (low, middle) if items * middle**2 >= needed else (middle, high)
    return min(1.0, high + unseen)
