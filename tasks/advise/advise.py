"""The advice: evidence, criteria, costs, decision and what to do next, as one value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tasks.advise.actions import Action, next_actions
from tasks.advise.assumptions import Assumption, assumptions
from tasks.advise.costs import BreakEven, Cost, break_evens, costs
from tasks.advise.criteria import Criterion, criteria
from tasks.advise.decide import Decision, decide
from tasks.advise.evidence import FEEDBACK, LOG, Evidence
from tasks.advise.failures import KINDS, Failure, mended
from tasks.advise.figures import Figure, counted
from tasks.records import ChatModel

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class Advice:
    """Everything that `openbook advise` says; `decision` is None without anything to judge by."""

    task: str
    evidence: Evidence
    assumed: Mapping[str, Assumption]
    criteria: Sequence[Criterion]
    costs: Mapping[str, Cost]
    break_evens: Sequence[BreakEven]
    decision: Decision | None
    actions: Sequence[Action]

    @property
    def confidence(self) -> str | None:
        """high from .9 of the worlds on, medium from .7 on, else low."""
        if self.decision is None:
            return None
        certainty = self.decision.certainty
        return "high" if certainty >= 0.9 else "medium" if certainty >= 0.7 else "low"

    @property
    def missing(self) -> list[Criterion]:
        """The criteria whose figure nobody has measured."""
        return [one for one in self.criteria if one.holds is None]

    def failures(self) -> list[tuple[str, int, list[Failure]]]:
        """Each kind of failure with how many there are and some examples, most frequent first."""
        counts = Counter(one.kind for one in self.evidence.failures)
        return [
            (kind, n, [one for one in self.evidence.failures if one.kind == kind][:_EXAMPLES])
            for kind, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        ]

    @property
    def mended(self) -> dict[str, Figure]:
        """The share of the failures that better retrieval, documents, prompts or training could
        mend; those of two count for both."""
        return mended(self.evidence.failures, FEEDBACK)

    @property
    def latency(self) -> dict[str, Figure]:
        """The median milliseconds of a question's halves, as measured on this installation."""
        usage = self.evidence.usage
        return {
            "retrieval": counted(usage.retrieval_ms, "ms", LOG),
            "generation": counted(usage.generation_ms, "ms", LOG),
        }

    def as_json(self) -> dict[str, Any]:
        """The advice as `--json` prints it."""
        decision, experiments = self.decision, self.evidence.experiments
        return {
            "task": self.task,
            "collection": self.evidence.collection,
            "recommendation": decision.strategy if decision else None,
            "confidence": self.confidence,
            "certainty": decision.certainty if decision else None,
            "overruled": decision.overruled if decision else None,
            "criteria": [one.as_json() for one in self.criteria],
            "missing": [
                {"criterion": one.name, "says": one.says, "command": one.figure.command}
                for one in self.missing
            ],
            "failures": [
                {
                    "kind": kind,
                    "says": KINDS[kind].says,
                    "half": KINDS[kind].half,
                    "mended_by": KINDS[kind].mended_by,
                    "count": count,
                    "examples": [asdict(one) for one in examples],
                }
                for kind, count, examples in self.failures()
            ],
            "mended_by": _measured(self.mended),
            "latency": _measured(self.latency),
            "unassigned": {
                "answers": self.evidence.unassigned,
                "count": self.evidence.unassigned_count,
                "says": self.evidence.of_nowhere,
            },
            "experiments": {
                "golden_set": experiments.golden_set,
                "conditions": {
                    name: {
                        "model": experiments.models[name],
                        "questions": len(values),
                        "correct": sum(values.values()) / len(values),
                    }
                    for name, values in experiments.correct.items()
                },
            },
            "costs": {
                "assumptions": {name: asdict(one) for name, one in self.assumed.items()},
                "strategies": {name: asdict(one) for name, one in self.costs.items()},
                "break_even": [asdict(one) for one in self.break_evens],
            },
            "flips": [
                {
                    "criterion": one.criterion.name,
                    "says": one.criterion.says,
                    "if_it_holds": one.if_it_holds,
                    "recommendation": one.to,
                }
                for one in (decision.flips if decision else ())
            ],
            "next_actions": [asdict(one) for one in self.actions],
        }


def _measured(figures: Mapping[str, Figure]) -> dict[str, dict[str, Any]]:
    return {name: {**one.as_json(), "measured_by": one.command} for name, one in figures.items()}


def advise(
    evidence: Evidence, task: str, model: ChatModel | None, given: Mapping[str, float]
) -> Advice:
    """What the evidence recommends. `given` overrides assumptions and thresholds by name."""
    assumed = assumptions(evidence, model, given)
    corpus = evidence.figures["corpus_tokens"].value or 0.0
    found = costs(corpus, assumed)
    asked = criteria(evidence, found, assumed["window"].value or 0.0, given)
    decision = None if evidence.is_empty else decide(asked, found, evidence.experiments)
    return Advice(
        task,
        evidence,
        assumed,
        asked,
        found,
        break_evens(corpus, assumed),
        decision,
        next_actions(evidence, asked, decision, found, assumed) if decision else [],
    )
