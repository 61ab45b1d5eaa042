"""Rankings against judgements: the usual measures, how sure they are, and which differences count.

The measures are trec_eval's, by ir-measures (MacAvaney et al., ECIR 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from tasks.evaluate.exam import Question

MEASURES = {
    "ndcg@10": "nDCG@10",
    "recall@10": "R@10",
    "recall@100": "R@100",
    "mrr": "RR",
    "success@1": "Success@1",
}
"""Our names of the measures, and those by which ir-measures knows them."""

_SAMPLES = 2_000
_FLIPS = 10_000
_SEED = 20260

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One mode's answers: by measure a value for each question, and the milliseconds each took."""

    values: Mapping[str, Values]
    milliseconds: Values


@dataclass(frozen=True, slots=True)
class Comparison:
    """nDCG@10 of `mode` minus that of `other`: mean, 95 % interval, and two-sided p."""

    mode: str
    other: str
    difference: float
    interval: tuple[float, float]
    p: float


def score(questions: Sequence[Question], rankings: Sequence[Sequence[str]]) -> dict[str, Values]:
    """By measure, a value for each question; a ranking lists documents once each, best first."""
    import ir_measures

    names = {str(number): number for number in range(len(questions))}
    qrels = {str(number): dict(one.grades) for number, one in enumerate(questions)}
    run = {
        str(number): {document: -float(place) for place, document in enumerate(ranking)}
        for number, ranking in enumerate(rankings)
        if ranking
    }
    ours = {ir_measures.parse_measure(theirs): name for name, theirs in MEASURES.items()}
    values = {name: np.zeros(len(questions)) for name in MEASURES}
    for one in ir_measures.iter_calc(list(ours), qrels, run):
        values[ours[one.measure]][names[one.query_id]] = one.value
    return values


def interval(values: Values) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of a mean (Efron and Tibshirani 1993), the same each
    time."""
    random = np.random.default_rng(_SEED)
    means = [values[random.integers(0, len(values), len(values))].mean() for _ in range(_SAMPLES)]
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def compare(values: Mapping[str, Values]) -> list[Comparison]:
    """Each pair of modes on the same questions, the later of the two first.

    p is that of the paired randomisation test (Smucker, Allan and Carterette, CIKM 2007), with
    10,000 random signs.
    """
    return [
        Comparison(
            mode,
            other,
            float((values[mode] - values[other]).mean()),
            interval(values[mode] - values[other]),
            randomised(values[mode] - values[other]),
        )
        for other, mode in combinations(values, 2)
    ]


def randomised(differences: Values) -> float:
    """How likely a mean at least that far from 0 is if each sign were chance."""
    moved = differences[differences != 0]
    random = np.random.default_rng(_SEED)
    found = abs(moved.sum()) - 1e-9
    reached = 0
    for _ in range(_FLIPS // 500):
        signs = random.integers(0, 2, (500, len(moved)), dtype=np.int8) * 2 - 1
        reached += int((np.abs(signs @ moved) >= found).sum())
    return (reached + 1) / (_FLIPS + 1)
