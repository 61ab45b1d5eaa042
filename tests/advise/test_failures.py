"""Which half of the system a failed answer belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.advise.failures import golden_failures, judged_failures
from tasks.datasets.quality import refuses

ANSWER = "The warranty lasts 12 months from delivery."


def call(name: str, arguments: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


def row(content: str | None, wanted: Any = None, **columns: Any) -> dict[str, Any]:
    """An answer that was judged; with `wanted`, by a correction."""
    alternative = {"role": "assistant", "content": wanted} if isinstance(wanted, str) else wanted
    return {
        "kind": "thumb" if wanted is None else "correction", "conversation_id": 1,
        "content": content, "tool_calls": None, "alternative": alternative,
        "question": "How long is the warranty?", "shown": None, "outdated": "", "told": None,
        **columns,
    }  # fmt: skip


def kind(one: dict[str, Any], passage: str = "") -> str:
    (failure,) = judged_failures([one], refuses, lambda queries: [passage] * len(queries))
    return failure.kind


FACT = "The warranty lasts 30 months, pumps excluded."


@pytest.mark.parametrize(
    ("one", "passage", "expected"),
    [
        (row(ANSWER, FACT), "thirty: 30 months, pumps are excluded", "missed"),
        (row(ANSWER, FACT), "something else altogether", "unknown"),
        (row(ANSWER, FACT, shown="now 30 months, pumps are excluded"), "", "unused"),
        (row(ANSWER, FACT, outdated="it lasts 12 months from delivery"), "", "stale"),
        (row(ANSWER, "Dear customer, the warranty lasts 12 months from delivery."), "", "style"),
        (row(ANSWER, "- The warranty lasts 12 months\n- from delivery"), "", "format"),
        (row(ANSWER, '{"warranty": "12 months from delivery", "lasts": true}'), "", "format"),
        (row("I'm sorry, but I can't help with that.", ANSWER), "", "refusal"),
        (row("I'm sorry, but I can't help with that."), "", "refusal"),
        (row(ANSWER), "", "unclear"),
        (row(ANSWER, told="style"), "", "style"),
        (row(None, {"content": None, "tool_calls": [call("price", '{"of": 2}')]},
             tool_calls=[call("price", '{"of": 1}')]), "", "tool"),
    ],
)  # fmt: skip
def test_a_correction_tells_what_was_wrong(
    one: dict[str, Any], passage: str, expected: str
) -> None:
    assert kind(one, passage) == expected


def test_the_same_call_written_otherwise_is_no_wrong_call() -> None:
    same = {"content": "Hello there", "tool_calls": [call("price", '{"of":2, "at": 1}')]}
    assert (
        kind(row("Hello there", same, tool_calls=[call("price", '{"at": 1, "of": 2}')])) == "style"
    )


def test_a_regeneration_judges_the_answer_that_gave_way() -> None:
    kept = row(FACT, ANSWER, kind="regeneration")
    (failure,) = judged_failures([kept], refuses, lambda queries: ["30 months, pumps excluded"])
    assert (failure.kind, failure.answer, failure.wanted) == ("missed", ANSWER, FACT)


@pytest.mark.parametrize(
    ("scores", "held", "expected"),
    [
        ({"correct": 0.0, "schema": 0.0, "retrieval_recall": 0.0}, True, "format"),
        ({"correct": 0.0, "refusal": 0.0}, True, "refusal"),
        ({"correct": 0.0, "retrieval_recall": 1.0}, True, "unused"),
        ({"correct": 0.5, "retrieval_recall": 0.5}, True, "missed"),
        ({"correct": 0.0, "retrieval_recall": 0.0}, False, "unknown"),
        ({"correct": 0.0}, None, "unclear"),
    ],
)
def test_a_golden_question_tells_which_half_failed(
    scores: dict[str, float], held: bool | None, expected: str
) -> None:
    row = {"item": "q", "answer": "a", "expected_answer": "b", "scores": scores, "held": held}
    assert [one.kind for one in golden_failures([row])] == [expected]
    assert golden_failures([{**row, "scores": {"correct": 1.0}}]) == []
