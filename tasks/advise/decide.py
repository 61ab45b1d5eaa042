"""From criteria to a recommendation: a small tree, its certainty, and what would turn it.

The tree is that of the usual advice: what changes, has readers or is long is retrieved; form is
trained, when there is enough to train on and retrieval works; what is short and steady is shown
whole; all else is a matter of the prompt. Measurements on the same questions overrule it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.advise.costs import STRATEGIES, Cost, costs_no_more
from tasks.advise.criteria import Criterion
from tasks.advise.experiments import CONFIDENCE, Compared, Experiments
from tasks.advise.figures import draw
from tasks.statistics import Comparison, Verdict, verdict

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
    return "long-context" if whole and holds["consulted"] else "rag"


def decide(
    criteria: Sequence[Criterion], found: Mapping[str, Cost], experiments: Experiments
) -> Decision:
    """The recommendation, how certain it is, and each single criterion that would turn it."""
    known = {one.name: one.unless_known if one.holds is None else one.holds for one in criteria}
    tree = strategy(known)
    compared = experiments.compared(STRATEGIES)
    chosen, overruled = measured(tree, known, found, compared)
    random = np.random.default_rng(_SEED)
    values = draw([one.figure for one in criteria], random, _WORLDS)
    worlds = {one.name: one.drawn(values[one.figure], random, _WORLDS) for one in criteria}
    agree = 0
    for place, differences in enumerate(experiments.worlds(compared, random, _WORLDS)):
        world = {name: bool(held[place]) for name, held in worlds.items()}
        agree += measured(strategy(world), world, found, differences)[0] == chosen
    flips = []
    for one in criteria:
        turned = {**known, one.name: not known[one.name]}
        to = measured(strategy(turned), turned, found, compared)[0]
        if to != chosen:
            flips.append(Flip(one, turned[one.name], to))
    return Decision(chosen, tree, agree / _WORLDS, overruled, tuple(flips))


def measured(
    tree: str, holds: Mapping[str, bool], found: Mapping[str, Cost], compared: Compared
) -> tuple[str, str | None]:
    """The strategy that experiments on the same questions leave standing, and why.

    One that was measured to be better than the tree's is taken; then one that is simpler, costs no
    more and is not worse by more than .05. What the corpus rules out is never taken. Both verdicts
    are those of a retraining's gate.
    """
    ruled_out = {
        "prompt": holds["cited"],
        "long-context": not (holds["fits"] and holds["open"]),
        "fine-tuning": holds["cited"] or not holds["steady"],
    }

    def says(other: str) -> Verdict | None:
        difference = None if ruled_out.get(other) else compared.get((other, chosen))
        return None if difference is None else verdict(difference, 0.0, _MARGIN, CONFIDENCE)

    chosen, why = tree, None
    for other in STRATEGIES:
        if says(other) == "better":
            why = _sentence(other, chosen, compared[other, chosen], "better")
            chosen = other
    for other in STRATEGIES[: STRATEGIES.index(chosen)]:
        cheaper = costs_no_more(found[other], found[chosen])
        if cheaper and says(other) in ("better", "not worse"):
            return other, _sentence(other, chosen, compared[other, chosen], "simpler and not worse")
    return chosen, why


def _sentence(one: str, other: str, found: Comparison, judged: str) -> str:
    return (
        f"{one} was measured to be {judged}: {found.difference:+.3f} against {other} on"
        f" {found.items} questions (95 % interval {found.low:+.3f} to {found.high:+.3f})"
    )
