"""Golden questions and answers to them, as short as tests want them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tasks.evaluate.exam import Question
from tasks.evaluate.golden.question import read_question
from tasks.records import Answer, Hit


def question(text: str = "How long?", **fields: Any) -> Question:
    """A golden question as a file would write it."""
    return read_question({"question": text, **fields})


def shown(*texts: str, paths: Sequence[str] = ()) -> tuple[Hit, ...]:
    """Passages of documents a.md, b.md … with these texts; chunk ids count from 1."""
    names = paths or [f"{chr(97 + place)}.md" for place in range(len(texts))]
    return tuple(
        Hit(place, 1 / place, path, None, None, None, text, "drop", place, place, place, 1, 1)
        for place, (text, path) in enumerate(zip(texts, names, strict=True), 1)
    )


def answer(text: str, passages: Sequence[Hit] = (), **fields: Any) -> Answer:
    """An answer that stands on the passages, or on nothing."""
    strategy = fields.pop("strategy", "rag" if passages else "none")
    return Answer("How long?", text, "answered", strategy, passages=tuple(passages), **fields)
