"""What strategies cost, and where their order turns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.advise.assumptions import Assumption, read_given
from tasks.advise.costs import STRATEGIES, break_evens, costs
from tasks.errors import Rejected

VALUES = {
    "prompt_tokens": 300.0, "context_tokens": 1_000.0, "answer_tokens": 200.0,
    "usd_per_million_input": 2.0, "usd_per_million_cached_input": 0.5,
    "usd_per_million_output": 8.0, "tuned_price_factor": 2.0, "cached_share": 0.9,
    "usd_per_training": 10.0, "trainings_per_year": 12.0, "hosting_usd_per_month": 5.0,
    "queries_per_day": 100.0,
}  # fmt: skip


def found(**changed: float):  # type: ignore[no-untyped-def]
    values = {**VALUES, **changed}
    return costs(50_000, {name: Assumption(v, "given", "") for name, v in values.items()})


def test_a_question_costs_what_it_reads_and_writes() -> None:
    by_name = found()
    assert by_name["prompt"].usd_per_query == pytest.approx((300 * 2 + 200 * 8) / 1e6)
    assert by_name["rag"].usd_per_query == pytest.approx((1_300 * 2 + 200 * 8) / 1e6)
    cached = 50_000 * (0.9 * 0.5 + 0.1 * 2)
    assert by_name["long-context"].usd_per_query == pytest.approx(
        (300 * 2 + cached + 200 * 8) / 1e6
    )
    tuned = by_name["rag + fine-tuning"]
    assert tuned.usd_per_query == pytest.approx(2 * by_name["rag"].usd_per_query)
    assert tuned.fixed_usd_a_year == 12 * 10 + 12 * 5
    assert tuned.usd_a_year == pytest.approx(180 + 36_500 * tuned.usd_per_query)


@given(st.floats(0.1, 5), st.floats(0, 1_000), st.floats(1, 50_000), st.sampled_from(STRATEGIES))
def test_at_a_break_even_both_cost_the_same(
    factor: float, training: float, context: float, _: str
) -> None:
    names = {"tuned_price_factor": factor, "usd_per_training": training, "context_tokens": context}
    for turn in break_evens(found(**names)):
        there = found(**names, queries_per_day=turn.queries_per_day)
        beyond = found(**names, queries_per_day=turn.queries_per_day * 2)
        one, other = there[turn.cheaper], there[turn.other]
        assert one.usd_a_year == pytest.approx(other.usd_a_year)
        assert beyond[turn.cheaper].usd_a_year <= beyond[turn.other].usd_a_year


@pytest.mark.parametrize(
    "text", ["queries_per_day", "queries_per_day=many", "window=-1", "window="]
)
def test_an_assumption_is_a_name_and_a_number(text: str) -> None:
    with pytest.raises(Rejected, match="is no NAME=NUMBER"):
        read_given([text])


def test_an_unknown_assumption_is_answered_with_those_there_are() -> None:
    with pytest.raises(Rejected) as caught:
        read_given(["?"])
    assert "queries_per_day" in caught.value.remedy
    assert "least_examples" in caught.value.remedy
    assert read_given(["window=1_000", "least_examples=50"]) == {
        "window": 1_000, "least_examples": 50,
    }  # fmt: skip
