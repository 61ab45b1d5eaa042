"""What an evaluation asks: questions, the documents that answer them, and what a good answer is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """What an answer must do; `value` is as `tasks.evaluate.golden.question` reads it."""

    kind: str
    value: Any = True


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its judgements: by document path, a grade; 0 is not relevant.

    `metadata` is what a test collection says of the question; `id` is that of
    openbook.golden_questions, `conversation_id` the logged conversation that it was taken from.
    """

    text: str
    grades: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    expected_answer: str | None = None
    checks: tuple[Check, ...] = ()
    tags: tuple[str, ...] = ()
    conversation_id: int | None = None
    id: int | None = None

    @property
    def sources(self) -> frozenset[str]:
        """The documents that answer it."""
        return frozenset(path for path, grade in self.grades.items() if grade > 0)

    @property
    def must_be_refused(self) -> bool:
        """Whether the only good answer is none."""
        return any(check.kind == "must_refuse" for check in self.checks)


@dataclass(frozen=True, slots=True)
class Exam:
    """Questions about the documents of a collection; `golden_set_id` where the database has it.

    `collection` is empty where the questions are about no documents; `purpose` is that of
    openbook.golden_sets.
    """

    name: str
    collection: str
    questions: tuple[Question, ...]
    golden_set_id: int | None = None
    purpose: str = "task"
