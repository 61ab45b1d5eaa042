"""What each strategy costs a question, a year, and from which volume on one is cheaper."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

from tasks.advise.assumptions import Assumption

STRATEGIES = ("prompt", "long-context", "rag", "fine-tuning", "rag + fine-tuning")
"""From the simplest to the one with the most parts."""
_DAYS = 365


@dataclass(frozen=True, slots=True)
class Cost:
    """One strategy: tokens and dollars a question, dollars a year whatever is asked, and in all."""

    strategy: str
    input_tokens: float
    output_tokens: float
    usd_per_query: float
    fixed_usd_a_year: float
    usd_a_year: float


@dataclass(frozen=True, slots=True)
class BreakEven:
    """From `queries_per_day` on, `cheaper` costs less a year than `other`."""

    cheaper: str
    other: str
    queries_per_day: float


def costs(corpus_tokens: float, assumed: Mapping[str, Assumption]) -> dict[str, Cost]:
    """The cost of every strategy, by name."""
    value = {name: one.value for name, one in assumed.items()}
    tuned = value["tuned_price_factor"]
    cached = value["cached_share"]
    reading = value["usd_per_million_input"] / 1e6
    from_cache = value["usd_per_million_cached_input"] / 1e6
    training = (
        value["usd_per_training"] * value["trainings_per_year"]
        + 12 * value["hosting_usd_per_month"]
    )
    context = {
        "prompt": 0.0,
        "long-context": corpus_tokens,
        "rag": value["context_tokens"],
        "fine-tuning": 0.0,
        "rag + fine-tuning": value["context_tokens"],
    }
    found = {}
    for strategy in STRATEGIES:
        factor = tuned if "fine-tuning" in strategy else 1.0
        a_context_token = reading
        if strategy == "long-context":
            a_context_token = cached * from_cache + (1 - cached) * reading
        a_query = factor * (
            value["prompt_tokens"] * reading
            + context[strategy] * a_context_token
            + value["answer_tokens"] * value["usd_per_million_output"] / 1e6
        )
        fixed = training if "fine-tuning" in strategy else 0.0
        found[strategy] = Cost(
            strategy,
            value["prompt_tokens"] + context[strategy],
            value["answer_tokens"],
            a_query,
            fixed,
            fixed + a_query * value["queries_per_day"] * _DAYS,
        )
    return found


def break_evens(found: Mapping[str, Cost]) -> list[BreakEven]:
    """Each pair of strategies whose order turns at some volume."""
    turns = []
    for one, other in combinations(found.values(), 2):
        a_query = one.usd_per_query - other.usd_per_query
        fixed = other.fixed_usd_a_year - one.fixed_usd_a_year
        if a_query * fixed > 0:
            later = other if a_query > 0 else one
            sooner = one if later is other else other
            turns.append(BreakEven(later.strategy, sooner.strategy, fixed / a_query / _DAYS))
    return turns
