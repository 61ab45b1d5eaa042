"""What an evaluation asks: questions, and the documents that answer them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its judgements: by document path, a grade; 0 is not relevant.

    `metadata` is what a test collection says of the question.
    """

    text: str
    grades: Mapping[str, int]
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about the documents of a collection; `golden_set_id` where the database has it."""

    name: str
    collection: str
    questions: tuple[Question, ...]
    golden_set_id: int | None = None
