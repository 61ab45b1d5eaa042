"""The test collections of `../shared/data/beir`."""

from __future__ import annotations

from pathlib import Path

from tasks.evaluate.collection import corpus, judged
from tasks.evaluate.exam import Question

__all__ = ["SHARED", "corpus", "queries"]

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "beir"


def queries(folder: Path) -> tuple[Question, ...]:
    """The queries that have judgements."""
    return judged(folder).questions
