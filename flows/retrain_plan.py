"""What a cycle of retraining would begin with, and what its questions can show."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tasks.database import connect
from tasks.datasets.curate import curate
from tasks.datasets.due import due
from tasks.datasets.read_spec import read_spec
from tasks.evaluate.golden.store import golden_set
from tasks.settings import current
from tasks.statistics import minimum_detectable
from tasks.training.cycles import open_cycle
from tasks.training.gate import short_of
from tasks.training.policy import worth_training
from tasks.training.registry import ANSWER, serving_model
from tasks.training.retraining import read_retraining

_USUALLY_DIFFER = 0.2
"""The share of questions that two models usually answer differently, one right and one wrong."""


def plan_cycle(path: Path, **changes: Any) -> dict[str, Any]:
    """Say what a cycle of the spec would begin with; nothing is written or bought."""
    settings = current()
    wanted = read_retraining(path, **changes)
    spec = read_spec(Path(wanted.dataset))
    with closing(connect(settings)) as connection:
        cycle = open_cycle(connection, ANSWER)
        verdict = due(connection, spec)
        goes, reasons = worth_training(
            connection, wanted, spec.name, ANSWER, (verdict.due, verdict.reasons)
        )
        outcome = curate(connection, spec, settings, plan=True).decision
        exams = [golden_set(connection, name) for name in wanted.golden]
        serving = serving_model(connection, settings)
    questions: Counter[str] = Counter()
    for exam in exams:
        questions[exam.purpose] += len(exam.questions)
    asked = questions["task"]
    shows = minimum_detectable(max(asked, 1), _USUALLY_DIFFER, wanted.gate.confidence, True)
    says = [
        f"due: {'yes' if goes else 'no'}, {'; '.join(reasons)}",
        f"{spec.name}: {outcome.splits.get('train', 0):,} examples and {outcome.tokens:,} tokens "
        f"to train {wanted.base} on, by {wanted.backend}",
        f"against {serving.name if serving else 'nothing'}: {asked:,} questions of the task show "
        f"a difference of {shows:.2f} or more, where one in five is answered differently",
        *(f"{exam.name}: {len(exam.questions):,} questions ({exam.purpose})" for exam in exams),
        *(f"no candidate can pass: {why}" for why in short_of(questions, wanted.gate)),
    ]
    if cycle is not None:
        says.append(f"cycle {cycle.id} of {cycle.spec_path} is under way, at {cycle.step}")
    return {"outcome": "plan", "due": goes, "reasons": says, "cycle": None}
