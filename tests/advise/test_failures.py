"""Which half of the system a failed answer belongs to."""

from __future__ import annotations

from typing import Any

import pytest

from tasks.advise.failures import KINDS, golden_failures, judged_failures, mended
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
    ("said", "wanted"),
    [
        ("Dogs are allowed in the garden.", "Dogs are not allowed in the garden."),
        ("Yes, you may bring them.", "No, you may not bring them."),
        ("You can bring them.", "You can't bring them."),
        ("Depot 7 is in Rome.", "Depot 7 is in Bern."),
        ("The warranty lasts nine months.", "The warranty lasts six months."),
        ("Ask Ms Meier in sales.", "Ask Ms Schulz in sales."),
        ("The ferry leaves from Hamburg at noon.", "The ferry leaves from Rotterdam at noon."),
        ("Open the valve.", "Close the valve."),
        ("The fee is 100 EUR a year.", "The fee is 100 USD a year."),
        ("The fee is 100 EUR, or 80 for members.", "The fee is 100 EUR."),
        ("The pump and the seal are covered.", "The pump is covered."),
        ("Everybody may enter the hall.", "Only members may enter the hall."),
    ],
)  # fmt: skip
def test_a_word_that_makes_it_another_statement_is_a_fact(said: str, wanted: str) -> None:
    assert KINDS[kind(row(said, wanted))].half != "behaviour"
    assert KINDS[kind(row(said, wanted), passage=wanted)].half != "behaviour"


@pytest.mark.parametrize(
    ("said", "wanted", "passage", "expected"),
    [
        ("Depot 7 is in Rome.", "Depot 7 is in Bern.", "Depot 7, Bern, opens at nine.", "missed"),
        ("Depot 7 is in Rome.", "Depot 7 is in Bern.", "The council of Bern met.", "unknown"),
        ("Gotta send it back soon.", "Please return the item in time.", "", "unclear"),
        ("Hi! I'm happy to say it's 12 months, no more, isn't it great, mate!",
         "It is 12 months, no more.", "", "unclear"),
        ("It's really super great: the warranty of course runs 12 months.",
         "The warranty runs 12 months.", "", "style"),
    ],
)  # fmt: skip
def test_other_words_are_a_fact_where_the_statement_stays(
    said: str, wanted: str, passage: str, expected: str
) -> None:
    assert kind(row(said, wanted), passage) == expected


def test_the_share_that_each_way_could_mend_is_of_the_failures_whose_kind_is_known() -> None:
    rows = [row(ANSWER, FACT), row(ANSWER, "Dear Sir, " + ANSWER), row(ANSWER)]
    found = mended(judged_failures(rows, refuses, lambda queries: [""] * len(queries)), "load")
    assert {way: (one.hits, one.n) for way, one in found.items()} == {
        "retrieval": (0, 2), "documents": (1, 2), "prompt": (1, 2), "training": (1, 2),
    }  # fmt: skip
    assert found["prompt"].low is not None
    assert mended([], "load")["training"].value is None


@pytest.mark.parametrize(
    ("scores", "half", "held", "expected"),
    [
        ({"schema": 0.0}, "generation", True, "format"),
        ({"format": 0.0}, "retrieval", True, "missed"),
        ({"refusal": 0.0}, "retrieval", True, "missed"),
        ({}, "retrieval", False, "unknown"),
        ({"context_recall": 0.0}, "retrieval", None, "unclear"),
        ({"format": 0.0}, "generation", True, "format"),
        ({"refusal": 0.0}, "generation", True, "refusal"),
        ({"context_recall": 1.0}, "generation", True, "unused"),
        ({"retrieval_recall": 1.0}, "unclear", True, "unclear"),
    ],
)
def test_a_golden_question_tells_which_half_failed(
    scores: dict[str, float], half: str, held: bool | None, expected: str
) -> None:
    row = {
        "item": "q", "answer": "a", "expected_answer": "b", "half": half, "held": held,
        "scores": {"correct": 0.0, **scores},
    }  # fmt: skip
    assert [one.kind for one in golden_failures([row])] == [expected]
    assert golden_failures([{**row, "scores": {"correct": 1.0}}]) == []
