"""From criteria to a recommendation: a small tree, its certainty, and what would turn it.

The tree is that of the usual advice: what changes, has readers or is long is retrieved; form is
trained, when there is enough to train on and retrieval works; what is short and steady is shown
whole; all else is a matter of the prompt. Measurements on the same questions overrule it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.advise.costs import STRATEGIES, Cost
from tasks.advise.criteria import Criterion
from tasks.advise.evidence import Experiments

_WORLDS = 1_000
_SEED = 20261
_MARGIN = 0.05
"""A simpler strategy may be this much worse, at the most, and is preferred."""


@dataclass(frozen=True, slots=True)
class Flip:
    """The decision would be `to` if the criterion held, or no longer held."""

    criterion: Criterion
    if_it_holds: bool
    to: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`certainty` is the share of worlds, drawn from the figures' uncertainty, that agree.

    `tree` is what the criteria alone recommend; `overruled` says which measurement changed it.
    """

    strategy: str
    tree: str
    certainty: float
    overruled: str | None
    flips: tuple[Flip, ...]


def strategy(holds: Mapping[str, bool]) -> str:
    """The recommendation for criteria of which each holds or does not."""
    behaviour = holds["failing"] and holds["lacks_behaviour"]
    trainable = holds["examples"] and holds["approved"] and holds["people"]
    if not (holds["consulted"] or (holds["failing"] and holds["lacks_knowledge"])):
        return "fine-tuning" if behaviour and trainable else "prompt"
    if behaviour and trainable and holds["found"] and holds["bounded"]:
        return "rag + fine-tuning"
    whole = holds["fits"] and holds["steady"] and holds["open"] and holds["affordable"]
    return "long-context" if whole and not holds["cited"] and holds["consulted"] else "rag"


def decide(
    criteria: Sequence[Criterion], found: Mapping[str, Cost], experiments: Experiments
) -> Decision:
    """The recommendation, how certain it is, and each single criterion that would turn it."""
    known = {one.name: one.unless_known if one.holds is None else one.holds for one in criteria}
    tree = strategy(known)
    chosen, overruled = measured(tree, known, found, experiments)
    random = np.random.default_rng(_SEED)
    worlds = {one.name: one.drawn(random, _WORLDS) for one in criteria}
    agree = 0
    for place in range(_WORLDS):
        world = {name: bool(values[place]) for name, values in worlds.items()}
        agree += measured(strategy(world), world, found, experiments)[0] == chosen
    flips = []
    for one in criteria:
        turned = {**known, one.name: not known[one.name]}
        to = measured(strategy(turned), turned, found, experiments)[0]
        if to != chosen:
            flips.append(Flip(one, turned[one.name], to))
    return Decision(chosen, tree, agree / _WORLDS, overruled, tuple(flips))


def measured(
    tree: str, holds: Mapping[str, bool], found: Mapping[str, Cost], experiments: Experiments
) -> tuple[str, str | None]:
    """The strategy that experiments on the same questions leave standing, and why.

    One that was measured to be better than the tree's is taken; then one that is simpler, costs no
    more and is not worse by more than .05. What the corpus rules out is never taken.
    """
    ruled_out = {
        "long-context": not (holds["fits"] and holds["open"]),
        "fine-tuning": not holds["steady"],
    }
    chosen, why = tree, None
    for other in STRATEGIES:
        difference = None if ruled_out.get(other) else experiments.difference(other, chosen)
        if difference is not None and difference[1] > 0:
            why = _sentence(other, chosen, difference, "better")
            chosen = other
    for other in STRATEGIES[: STRATEGIES.index(chosen)]:
        difference = None if ruled_out.get(other) else experiments.difference(other, chosen)
        cheaper = found[other].usd_a_year <= found[chosen].usd_a_year
        if difference is not None and cheaper and difference[1] >= -_MARGIN:
            return other, _sentence(other, chosen, difference, "simpler and not worse")
    return chosen, why


def _sentence(
    one: str, other: str, difference: tuple[float, float, float, int], verdict: str
) -> str:
    mean, low, high, items = difference
    return (
        f"{one} was measured to be {verdict}: {mean:+.3f} against {other} on {items} questions"
        f" (95 % interval {low:+.3f} to {high:+.3f})"
    )
