"""What each strategy costs a question, a year, and from which volume on one is cheaper."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from tasks.advise.assumptions import Assumption

STRATEGIES = ("prompt", "long-context", "rag", "fine-tuning", "rag + fine-tuning")
"""From the simplest to the one with the most parts."""
_DAYS = 365
_MINUTES_A_DAY = 1_440
_VOLUMES = tuple(10 ** (place / 20) for place in range(-20, 141))
"""Questions a day among which break-evens are looked for: .1 to 10 million."""
_NOISE = 1e-9


@dataclass(frozen=True, slots=True)
class Cost:
    """One strategy: tokens and dollars a question, dollars a year whatever is asked, and in all.

    `cached_share` of the context is read from the provider's cache. Dollars are None where a price
    that is part of them is not known.
    """

    strategy: str
    input_tokens: float
    output_tokens: float
    cached_share: float
    usd_per_query: float | None
    fixed_usd_a_year: float | None
    usd_a_year: float | None

    def asking(self, questions: int) -> float | None:
        """Dollars of so many questions."""
        return _product(questions, self.usd_per_query)


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From `queries_per_day` on, `cheaper` costs less a year than `other`."""

    cheaper: str
    other: str
    queries_per_day: float


def costs(
    corpus_tokens: float,
    assumed: Mapping[str, Assumption],
    queries_per_day: float | None = None,
) -> dict[str, Cost]:
    """The cost of every strategy, by name, at the assumed volume or at another one."""
    known = {name: one.value for name, one in assumed.items() if one.value is not None}
    volume = known["queries_per_day"] if queries_per_day is None else queries_per_day
    reading, writing = known["usd_per_million_input"], known["usd_per_million_output"]
    training = _sum(
        _product(known.get("usd_per_training"), known["trainings_per_year"]),
        _product(known.get("hosting_usd_per_month"), 12),
    )
    context = {"long-context": corpus_tokens, "rag": known["context_tokens"]}
    found = {}
    for strategy in STRATEGIES:
        tuned, retrieves = "fine-tuning" in strategy, "rag" in strategy
        shown = context.get("rag" if retrieves else strategy, 0.0)
        cached = 0.0
        if strategy == "long-context":
            cached = cached_share(volume, known["cache_minutes"])
        a_context_token = cached * known["usd_per_million_cached_input"] + (1 - cached) * reading
        a_query = _product(
            known.get("tuned_price_factor") if tuned else 1.0,
            known["prompt_tokens"] * reading
            + shown * a_context_token
            + known["answer_tokens"] * writing,
            1e-6,
        )
        fixed = _sum(
            known.get("usd_indexing_a_year") if retrieves else 0.0, training if tuned else 0.0
        )
        found[strategy] = Cost(
            strategy,
            known["prompt_tokens"] + shown,
            known["answer_tokens"],
            cached,
            a_query,
            fixed,
            _sum(fixed, _product(a_query, volume, _DAYS)),
        )
    return found


def cached_share(queries_per_day: float, minutes: float) -> float:
    """The share of questions that find the context in a cache which forgets it after so long.

    Questions are taken to come at random, as many by night as by day (a Poisson process).
    """
    return -math.expm1(-queries_per_day * minutes / _MINUTES_A_DAY)


def costs_no_more(one: Cost, other: Cost) -> bool:
    """Whether a year of `one` is known to cost no more than a year of `other`.

    A known price is preferred to an unknown one; of two unknown ones the shorter prompt's is less,
    since what is unknown is that of training, hosting and tuned tokens.
    """
    if one.usd_a_year is None:
        return other.usd_a_year is None and one.input_tokens <= other.input_tokens
    return other.usd_a_year is None or one.usd_a_year <= other.usd_a_year


def break_evens(corpus_tokens: float, assumed: Mapping[str, Assumption]) -> list[BreakEven]:
    """Each volume at which the order of two strategies turns; a cache may turn it twice.

    Strategies whose price is not known have none.
    """
    grid = [costs(corpus_tokens, assumed, volume) for volume in _VOLUMES]
    turns = []
    for one, other in combinations(STRATEGIES, 2):
        below: tuple[float, float] | None = None
        for volume, found in zip(_VOLUMES, grid, strict=True):
            gap = _gap(found, one, other)
            if gap is None:
                break
            if below is not None and below[1] * gap < 0:
                turn = _turn(corpus_tokens, assumed, (one, other), (below[0], volume))
                turns.append(BreakEven(*((one, other) if gap < 0 else (other, one)), turn))
            if gap:
                below = volume, gap
    return turns


def _gap(found: Mapping[str, Cost], one: str, other: str) -> float | None:
    """Dollars a year that `one` costs more than `other`; 0 for what is rounding alone."""
    first, second = found[one].usd_a_year, found[other].usd_a_year
    if first is None or second is None:
        return None
    return 0.0 if abs(first - second) <= _NOISE * max(first, second) else first - second


def _turn(
    corpus_tokens: float,
    assumed: Mapping[str, Assumption],
    pair: tuple[str, str],
    between: tuple[float, float],
) -> float:
    """The volume between two, at which the pair costs the same, by bisection."""
    low, high = between
    before = _gap(costs(corpus_tokens, assumed, low), *pair) or 0.0
    while high / low > 1 + 1e-6:
        middle = math.sqrt(low * high)
        gap = _gap(costs(corpus_tokens, assumed, middle), *pair) or 0.0
        low, high = (middle, high) if gap * before > 0 else (low, middle)
    return high


def _product(*factors: float | None) -> float | None:
    known = [factor for factor in factors if factor is not None]
    return math.prod(known) if len(known) == len(factors) else None


def _sum(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
