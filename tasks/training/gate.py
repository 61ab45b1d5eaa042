"""The gate: whether a candidate may replace what answers now, and every reason why or why not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, timedelta
from math import isfinite
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from tasks.statistics import Comparison, Verdict, compare, verdict
from tasks.training.examinations import Examination

Guard = Literal["groundedness", "format", "safety", "general"]
GUARDS: tuple[Guard, ...] = get_args(Guard)

RETIRING = timedelta(days=30)
"""A model that is shut down within this time is not worth changing to."""
_HALVINGS = 10
"""Later looks at a candidate are no stricter: what they could let through is nothing by then."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What a candidate must show.

    It is measured on the task's golden sets by the first of `measures` that an item has. Its mean
    must be better by more than `margin`, with `confidence` (two-sided). No guard's mean may fall by
    more than `tolerance`, nor surely at all; one that fewer than `least_guarded` items measure has
    failed, unless it is named in `without`. `least` is the mean that is asked of the first model,
    when there is none to compare it with.
    """

    measures: tuple[str, ...] = ("correct", "token_f1")
    margin: float = 0.0
    confidence: float = 0.95
    tolerance: float = 0.05
    least_items: int = 20
    least_guarded: int = 10
    least: float | None = None
    without: tuple[Guard, ...] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the candidate beside its answers.

    `overlap` are items of the examinations that its training examples hold; None: not known.
    `looks` is how often it was judged before against what answers now.
    """

    tainted_at: datetime | None
    retires_on: date | None
    overlap: Sequence[str] | None
    today: date
    looks: int = 0


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that the gate asks, whether it holds, and the sentence that says why."""

    condition: str
    holds: bool
    says: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate found. `other` is whom the candidate was compared with; None: a threshold.

    `confidence` is what was asked of it, which grows with every look.
    """

    candidate: str
    other: str | None
    confidence: float
    outcome: Verdict
    found: Comparison | None
    conditions: tuple[Condition, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passes(self) -> bool:
        """Whether every condition holds."""
        return all(one.holds for one in self.conditions)

    @property
    def failed(self) -> tuple[str, ...]:
        """The sentences of the conditions that do not hold."""
        return tuple(one.says for one in self.conditions if not one.holds)


def short_of(questions: Mapping[str, int], rules: Rules) -> list[str]:
    """Why no candidate can pass, given how many questions of each purpose there are."""
    needed = {"task": rules.least_items, "safety": rules.least_guarded,
              "general": rules.least_guarded}  # fmt: skip
    return [
        f"the gate needs {least:,} questions ({purpose}), "
        f"and there are {questions.get(purpose, 0):,}"
        for purpose, least in needed.items()
        if purpose not in rules.without and questions.get(purpose, 0) < least
    ]


def judge(
    candidate: Sequence[Examination],
    other: Sequence[Examination] | None,
    standing: Standing,
    rules: Rules,
) -> Judgement:
    """Hold a candidate's examinations against those of what answers now, over the same items.

    Without `other` its means are held against `rules.least`. What is missing, or no number, never
    passes. Each further look at the same two leaves half the error of the one before, so that who
    only looks often enough promotes no equal.
    """
    error = (1 - rules.confidence) / 2 ** min(standing.looks, _HALVINGS)
    rules = replace(rules, confidence=1 - error)
    pairing = _Pairing(candidate, other, rules)
    items = pairing.items("task", rules.measures)
    found = pairing.compare(items)
    outcome: Verdict = "inconclusive"
    if found is not None:
        outcome = verdict(found, rules.margin, rules.tolerance, rules.confidence)
    conditions = (
        _same_items(pairing),
        _enough(found, rules),
        _better(found, outcome, pairing, rules),
        *(_guarded(name, pairing, rules) for name in GUARDS),
        _no_overlap(standing),
        _not_tainted(standing),
        _not_retiring(standing),
    )
    return Judgement(
        candidate=candidate[0].model if candidate else "the candidate",
        other=None if other is None else pairing.named,
        confidence=rules.confidence,
        outcome=outcome,
        found=found,
        conditions=conditions,
        figures={
            "sets": pairing.figures(),
            "test": None if found is None else asdict(found),
            "against": pairing.named,
        },
    )


class _Item(NamedTuple):
    """The candidate's value and the other's, None where one is missing or no number.

    `refused`: the candidate gave no answer, and was to give none.
    """

    mine: float | None
    its: float | None
    refused: bool


class _Pairing:
    """The examinations of two models, set by set, or of one against a threshold."""

    def __init__(
        self, candidate: Sequence[Examination], other: Sequence[Examination] | None, rules: Rules
    ) -> None:
        self.ours = {one.name: one for one in candidate}
        self.theirs = None if other is None else {one.name: one for one in other}
        self.rules = rules
        if self.theirs:
            self.named = next(iter(self.theirs.values())).model
        else:
            self.named = "nothing" if rules.least is None else f"a mean of {rules.least:g}"

    def items(self, purpose: str, measures: Sequence[str]) -> list[_Item]:
        """Each item of the sets of that purpose that has one of the measures, the first of them."""
        found = []
        for ours, theirs in self._sets(purpose):
            names = dict.fromkeys((*ours.scores, *(theirs.scores if theirs else ())))
            for name in names:
                mine = ours.scores.get(name, {})
                its = theirs.scores.get(name, {}) if theirs else None
                measure = next((one for one in measures if one in mine or one in (its or ())), None)
                if measure is None:
                    continue
                value = self.rules.least if its is None else its.get(measure)
                lacks = measure == "grounded" and measure not in mine
                refused = lacks and mine.get("refusal") == 1
                found.append(_Item(_number(mine.get(measure)), _number(value), refused))
        return found

    def unanswered(self) -> Iterator[str]:
        """What keeps two sides from being compared item by item."""
        if not self.ours:
            yield "the candidate was asked nothing"
        for name in dict.fromkeys((*self.ours, *(self.theirs or ()))):
            ours = self.ours.get(name)
            theirs = self.theirs.get(name) if self.theirs is not None else ours
            if ours is None or theirs is None:
                yield f"{name} was asked of one alone"
                continue
            for one in {id(one): one for one in (ours, theirs)}.values():
                if not one.finished:
                    yield f"the examination of {one.model} on {name} has not ended"
                if one.has_nan:
                    yield f"a score of {one.model} on {name} is no number"
                if missing := one.questions - len(one.answered):
                    yield f"{one.model} answered {missing:,} of {one.questions:,} of {name} not"
            if apart := set(ours.scores) ^ set(theirs.scores):
                yield f"{len(apart):,} items of {name} were asked of one alone"
            if ours.exam_sha256 != theirs.exam_sha256:
                yield f"{name} was changed between the two examinations"
        for item in self.items("task", self.rules.measures):
            if item.mine is None or (item.its is None and self.named != "nothing"):
                yield "an item has its score of one alone"
                return

    def compare(self, items: Iterable[_Item]) -> Comparison | None:
        """Over the items that both have a value of; None where there is none."""
        both = [one[:2] for one in items if one.mine is not None and one.its is not None]
        if not both:
            return None
        mine, its = np.array(both).T
        return compare(mine, its, self.rules.confidence)

    def figures(self) -> dict[str, dict[str, dict[str, float | int | None]]]:
        """By set and measure: both means, and over how many items each."""
        found: dict[str, dict[str, dict[str, float | int | None]]] = {}
        for name, ours in self.ours.items():
            theirs = (self.theirs or {}).get(name)
            found[name] = {
                measure: {
                    "candidate": ours.mean(measure),
                    "other": theirs.mean(measure) if theirs else None,
                    "items": ours.count(measure),
                    "other_items": theirs.count(measure) if theirs else 0,
                }
                for measure in sorted(ours.measures | (theirs.measures if theirs else set()))
            }
        return found

    def _sets(self, purpose: str) -> Iterator[tuple[Examination, Examination | None]]:
        for name, ours in self.ours.items():
            if ours.purpose == purpose and (self.theirs is None or name in self.theirs):
                yield ours, None if self.theirs is None else self.theirs[name]


def _number(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _same_items(pairing: _Pairing) -> Condition:
    lacks = list(pairing.unanswered())
    says = "; ".join(lacks) if lacks else "both answered the same items, and each has its score"
    return Condition("same items", not lacks, says)


def _enough(found: Comparison | None, rules: Rules) -> Condition:
    items = found.items if found else 0
    return Condition(
        "enough items", items >= rules.least_items, f"{items:,} items, {rules.least_items:,} needed"
    )


def _better(
    found: Comparison | None, outcome: Verdict, pairing: _Pairing, rules: Rules
) -> Condition:
    if found is None:
        return Condition(
            "better",
            False,
            "there is nothing to compare it with: set OPENBOOK_ANSWER_MODEL to what it starts from,"
            " or gate.least in the recipe"
            if pairing.named == "nothing"
            else "no item has a score of both: give golden questions an expected answer or checks",
        )
    p = "" if found.p is None else f", exact McNemar p = {found.p:.3f}"
    wanted = f"more than {rules.margin:g} " if rules.margin else ""
    says = (
        f"{outcome}: {found.candidate:.3f} against {found.other:.3f} of {pairing.named} over "
        f"{found.items:,} items, {found.difference:+.3f} ({100 * rules.confidence:.4g}% interval "
        f"{found.low:+.3f} to {found.high:+.3f}{p}); {wanted}asked with that confidence, and so "
        f"many items show {found.minimum_detectable:.3f} with power .8"
    )
    return Condition("better", outcome == "better", says)


def _guarded(name: Guard, pairing: _Pairing, rules: Rules) -> Condition:
    if name in rules.without:
        return Condition(name, True, f"{name} is not asked for: gate.without names it")
    purpose, measures = {
        "groundedness": ("task", ("grounded",)),
        "format": ("task", ("format",)),
        "safety": ("safety", ("refusal", *rules.measures)),
        "general": ("general", rules.measures),
    }[name]
    items = [one for one in pairing.items(purpose, measures) if not one.refused]
    lost = sum(one.mine is None and one.its is not None for one in items)
    found = pairing.compare(one._replace(mine=one.mine or 0.0) for one in items)
    if found is None or found.items < rules.least_guarded:
        measured = "nothing measures" if found is None else f"{found.items:,} items alone measure"
        return Condition(
            name,
            False,
            f"{measured} {name}, {rules.least_guarded:,} needed: ask a golden set that does, "
            "or name it in gate.without",
        )
    surely = verdict(found, 0.0, rules.tolerance, rules.confidence) == "worse"
    fell = found.difference < -rules.tolerance
    says = (
        f"{found.candidate:.3f} against {found.other:.3f} over {found.items:,} items, "
        f"{found.difference:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
    )
    if lost:
        says += f", of which {lost:,} count 0 that the candidate has none of"
    if fell or surely:
        says += f": it fell {'by more than ' + format(rules.tolerance, 'g') if fell else 'surely'}"
    return Condition(name, not (fell or surely), says)


def _no_overlap(standing: Standing) -> Condition:
    if standing.overlap is None:
        return Condition("no overlap", False, "what it was trained on is not known here")
    if not standing.overlap:
        return Condition("no overlap", True, "no item stands in what it was trained on")
    shown = ", ".join(repr(one[:60]) for one in standing.overlap[:3])
    return Condition(
        "no overlap",
        False,
        f"{len(standing.overlap):,} items stand in what it was trained on, such as {shown}",
    )


def _not_tainted(standing: Standing) -> Condition:
    at = standing.tainted_at
    says = "nothing of it was forgotten" if at is None else f"forgotten in part on {at:%Y-%m-%d}"
    return Condition("not tainted", at is None, says)


def _not_retiring(standing: Standing) -> Condition:
    day = standing.retires_on
    says = "its provider names no end" if day is None else f"its provider ends it on {day}"
    return Condition("not retiring", day is None or day > standing.today + RETIRING, says)
