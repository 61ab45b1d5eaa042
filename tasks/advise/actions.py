"""What to do next: what is unknown and decides, and what would mend most for the least."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.advise.assumptions import Assumption
from tasks.advise.costs import Cost
from tasks.advise.criteria import Criterion
from tasks.advise.decide import Decision
from tasks.advise.evidence import Evidence
from tasks.advise.failures import DOCUMENTS, KINDS, PROMPT

_CHEAPEST = 3
_QUESTIONS = 100
"""A golden set of this size is what an experiment is priced for."""
_UNTRAINED = {"fine-tuning": "prompt", "rag + fine-tuning": "rag"}
"""What answers as long as nothing was trained."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do: dollars that it costs (None: not known), hours of a person as a rule of
    thumb, and why."""

    do: str
    command: str
    usd: float | None
    hours: float
    why: str


def next_actions(
    evidence: Evidence,
    criteria: Sequence[Criterion],
    decision: Decision,
    found: Mapping[str, Cost],
    assumed: Mapping[str, Assumption],
) -> list[Action]:
    """The three cheapest; what has to come first stands first among equals."""
    holds = {one.name: one.holds for one in criteria}
    kinds = Counter(one.kind for one in evidence.failures)
    actions = []
    if holds["found"] is False or holds["bounded"] is False:
        actions.append(Action(
            "mend retrieval before anything is trained", "openbook why QUESTION CHUNK", 0.0, 2.0,
            "answers miss passages that the documents have; training on them would teach guessing",
        ))  # fmt: skip
    deciding = {flip.criterion.name for flip in decision.flips}
    actions += [
        Action(
            f"measure whether {one.says}", one.figure.command, _usd(one, found),
            0.5, "unknown, and the recommendation turns on it",
        )
        for one in criteria
        if one.holds is None and one.name in deciding
    ]  # fmt: skip
    mended_by = Counter(way for kind, n in kinds.items() for way in KINDS[kind].mended_by for _ in
                        range(n))  # fmt: skip
    if mended_by[PROMPT]:  # what was tried shows in fewer of them: instructions are not recorded
        answered_by = _UNTRAINED.get(decision.strategy, decision.strategy)
        actions.append(Action(
            "say in the prompt what fails, and examine the same questions before and after",
            "openbook evaluate --answers --golden NAME --strategy "
            + ("none" if answered_by == "prompt" else answered_by),
            found[answered_by].asking(2 * _QUESTIONS), 1.0,
            f"{mended_by[PROMPT]:,} failures are of kinds that instructions can mend",
        ))  # fmt: skip
    if mended_by[DOCUMENTS]:
        actions.append(Action(
            "add the documents that are missing", "openbook ingest FOLDER", 0.0, 4.0,
            f"{mended_by[DOCUMENTS]:,} failures lack what no document says",
        ))  # fmt: skip
    actions += _training(evidence, decision, holds, assumed)
    if decision.strategy in ("rag", "long-context"):
        actions.append(Action(
            f"answer with {decision.strategy}",
            f"openbook strategy {evidence.collection} {decision.strategy}", 0.0, 0.25,
            "it is what the figures recommend",
        ))  # fmt: skip
    return sorted(actions, key=_price)[:_CHEAPEST]


def _training(
    evidence: Evidence,
    decision: Decision,
    holds: Mapping[str, bool | None],
    assumed: Mapping[str, Assumption],
) -> list[Action]:
    wanted = holds["failing"] and holds["lacks_behaviour"]
    if "fine-tuning" in decision.strategy:
        return [Action(
            "train a candidate and let the gate judge it", "openbook retrain SPEC",
            assumed["usd_per_training"].value, 1.0, "it is what the figures recommend",
        )]  # fmt: skip
    if not wanted:
        return []
    examples = evidence.figures["examples"].value or 0.0
    if holds["examples"] is False:
        return [Action(
            f"collect corrections; {examples:,.0f} examples are too few",
            "feedback(answer.id, 'correction', alternative=…)", 0.0, 8.0,
            "failures are of kinds that training mends, and there is too little to train on",
        )]  # fmt: skip
    return []


def _price(one: Action) -> tuple[bool, float, float]:
    return one.usd is None, one.usd or 0.0, one.hours


def _usd(one: Criterion, found: Mapping[str, Cost]) -> float | None:
    asks_the_model = "--answers" in one.figure.command
    return found["rag"].asking(_QUESTIONS) if asks_the_model else 0.0
