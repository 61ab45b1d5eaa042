"""The questions that every decision tree asks, answered with figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.advise.costs import Cost
from tasks.advise.evidence import Evidence
from tasks.advise.figures import Figure, Values, counted
from tasks.advise.thresholds import limits as limits_of

Booleans = NDArray[np.bool_]
AT_LEAST, MORE_THAN, AT_MOST, LESS_THAN = "at least", "more than", "at most", "less than"
_COMPARE = {
    AT_LEAST: np.greater_equal,
    MORE_THAN: np.greater,
    AT_MOST: np.less_equal,
    LESS_THAN: np.less,
}


@dataclass(frozen=True, slots=True)
class Criterion:
    """`says` holds when the figure is `relation` `threshold`; then it points to `then`, else to
    `otherwise`. `unless_known` is what is taken while the figure is unknown."""

    name: str
    says: str
    figure: Figure
    relation: str
    threshold: float
    source: str
    then: str
    otherwise: str
    unless_known: bool = False

    @property
    def holds(self) -> bool | None:
        """Whether it holds; None: the figure is unknown."""
        if self.figure.value is None:
            return None
        return bool(_COMPARE[self.relation](self.figure.value, self.threshold))

    def drawn(self, values: Values | None, random: np.random.Generator, size: int) -> Booleans:
        """Whether it holds in each of `size` worlds in which the figure has these values; what is
        unknown holds in half of them."""
        if values is None:
            return random.random(size) < 0.5
        return np.asarray(_COMPARE[self.relation](values, self.threshold))

    def as_json(self) -> dict[str, Any]:
        """The criterion as the report shows it."""
        return {
            "criterion": self.name,
            "says": self.says,
            "figure": self.figure.as_json(),
            "relation": self.relation,
            "threshold": self.threshold,
            "holds": self.holds,
            "points_to": None
            if self.holds is None
            else self.then
            if self.holds
            else self.otherwise,
            "source": self.source,
            "measured_by": self.figure.command,
        }


def criteria(
    evidence: Evidence,
    found: Mapping[str, Cost],
    window: float,
    given: Mapping[str, float],
) -> list[Criterion]:
    """Every criterion with its figure; `window` in tokens, `given` overrides thresholds by name."""
    figures = evidence.figures
    limits = limits_of(given)

    def one(
        name: str, says: str, figure: Figure, relation: str, limit: str, *, points: str,
        unless_known: bool = False, times: float = 1.0,
    ) -> Criterion:  # fmt: skip
        then, otherwise = points.split(" | ")
        return Criterion(
            name, says, figure, relation, limits[limit].value * times, limits[limit].source, then,
            otherwise, unless_known,
        )  # fmt: skip

    unpriced = "usd_indexing_a_year" if found["rag"].usd_a_year is None else "queries_per_day"
    ratio, rag, whole = None, found["rag"].usd_a_year, found["long-context"].usd_a_year
    if rag and whole is not None:
        ratio = whole / rag
    elif rag == 0 and evidence.documents:
        ratio = 1.0
    told = figures["told_failures"].value or 0.0
    enough = told >= limits["least_failures"].value

    def of_failures(name: str) -> Figure:
        return figures[name] if enough else replace(figures[name], value=None)

    return [
        Criterion(
            "consulted", "a corpus is there and questions are asked of it", _consulted(evidence),
            AT_LEAST, 1.0, "what nobody looks up needs no retrieval", "rag or long-context",
            "prompt or fine-tuning",
        ),
        one("fits", "all of the corpus fits the model's window with room to spare",
            figures["corpus_tokens"], AT_MOST, "window_share", times=window,
            points="long-context | rag"),
        one("steady", "the corpus hardly changes", figures["changed_a_month"], AT_MOST,
            "changed_a_month", unless_known=True, points="long-context | rag"),
        one("open", "who reads one document may read all", figures["other_readers"], AT_MOST,
            "other_readers", unless_known=True, points="long-context | rag"),
        one("cited", "answers have to cite", figures["cited"], AT_LEAST, "cited_questions",
            points="rag or long-context | any"),
        one("found", "retrieval finds what answers stand on", figures["recall"], AT_LEAST,
            "least_recall", unless_known=True, points="rag as it is | mend retrieval first"),
        one("bounded", "shown the expected sources, answers would hardly be better",
            figures["oracle_gap"], LESS_THAN, "oracle_gap", unless_known=True,
            points="the model's half | mend retrieval first"),
        one("failing", "answers fail often enough to matter", figures["failing"], AT_LEAST,
            "failing_answers", points="something to mend | leave it as it is"),
        one("lacks_knowledge", "failures are about facts", of_failures("knowledge_failures"),
            AT_LEAST, "knowledge_failures", points="rag | any"),
        one("lacks_behaviour", "failures are about form and use",
            of_failures("behaviour_failures"), AT_LEAST, "behaviour_failures",
            points="fine-tuning | no training"),
        one("examples", "there is enough to train on", figures["examples"], AT_LEAST,
            "least_examples", points="fine-tuning | prompt, and collect"),
        one("approved", "people approved or corrected what would be trained on",
            figures["approved"], AT_LEAST, "approved_examples",
            points="fine-tuning | collect feedback"),
        one("people", "it comes from enough users", figures["people"], AT_LEAST, "least_people",
            points="fine-tuning | collect from more"),
        one("affordable", "the whole corpus in every prompt costs little more than retrieval",
            counted(ratio, "times the price of rag", f"openbook advise --assume {unpriced}=…"),
            AT_MOST, "long_context_cost", unless_known=True, points="long-context | rag"),
    ]  # fmt: skip


def _consulted(evidence: Evidence) -> Figure:
    """In how many ways a corpus is used: searches, answers that stand on it, golden questions."""
    figures = evidence.figures
    asked = (
        (figures["searches_a_day"].value or 0) > 0,
        (figures["on_passages"].hits or 0) > 0,
        figures["recall"].value is not None
        or bool({"rag", "oracle", "long-context"} & set(evidence.experiments.correct))
        or bool(figures["cited"].hits),
    )
    return counted(
        sum(asked) if evidence.chunks else 0, "ways of use", "openbook search, or answer"
    )
