"""Golden questions as a file that people review and `openbook golden import` reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import yaml

from tasks.evaluate.exam import Question
from tasks.evaluate.golden.question import as_row


def as_text(questions: Sequence[Question], *, lines: bool = False) -> str:
    """The questions as YAML, or as JSON Lines."""
    rows = [as_row(question) for question in questions]
    if lines:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return yaml.safe_dump({"questions": rows}, allow_unicode=True, sort_keys=False, width=100)
