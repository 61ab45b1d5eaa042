"""What strategies cost, and where their order turns."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.advise.assumptions import Assumption, read_given
from tasks.advise.costs import Cost, break_evens, costs, costs_no_more
from tasks.advise.thresholds import THRESHOLDS
from tasks.errors import Rejected

VALUES = {
    "prompt_tokens": 300.0, "context_tokens": 1_000.0, "answer_tokens": 200.0,
    "usd_per_million_input": 2.0, "usd_per_million_cached_input": 0.5,
    "usd_per_million_output": 8.0, "tuned_price_factor": 2.0, "cache_minutes": 5.0,
    "usd_per_training": 10.0, "trainings_per_year": 12.0, "hosting_usd_per_month": 5.0,
    "usd_indexing_a_year": 7.0, "queries_per_day": 100.0,
}  # fmt: skip
CORPUS = 50_000


def assumed(**changed: float | None) -> dict[str, Assumption]:
    values: dict[str, float | None] = {**VALUES, **changed}
    return {name: Assumption(value, "given", "") for name, value in values.items()}


def found(**changed: float | None) -> dict[str, Cost]:
    return costs(CORPUS, assumed(**changed))


def test_a_question_costs_what_it_reads_and_writes() -> None:
    by_name = found()
    assert by_name["prompt"].usd_per_query == pytest.approx((300 * 2 + 200 * 8) / 1e6)
    assert by_name["rag"].usd_per_query == pytest.approx((1_300 * 2 + 200 * 8) / 1e6)
    share = 1 - math.exp(-100 * 5 / 1_440)
    assert by_name["long-context"].cached_share == pytest.approx(share)
    context = CORPUS * (share * 0.5 + (1 - share) * 2)
    assert by_name["long-context"].usd_per_query == pytest.approx(
        (300 * 2 + context + 200 * 8) / 1e6
    )
    tuned = by_name["rag + fine-tuning"]
    assert tuned.usd_per_query == pytest.approx(2 * (by_name["rag"].usd_per_query or 0))
    assert by_name["rag"].fixed_usd_a_year == 7
    assert by_name["fine-tuning"].fixed_usd_a_year == 12 * 10 + 12 * 5
    assert tuned.fixed_usd_a_year == 187
    assert tuned.usd_a_year == pytest.approx(187 + 36_500 * (tuned.usd_per_query or 0))


def test_a_provider_s_cache_has_more_of_the_context_the_more_is_asked() -> None:
    shares = [
        found(queries_per_day=volume)["long-context"].cached_share for volume in (1, 100, 10_000)
    ]
    assert shares == [
        pytest.approx(0.0035, abs=1e-4),
        pytest.approx(0.293, abs=1e-3),
        pytest.approx(1),
    ]
    a_query = [
        found(queries_per_day=volume)["long-context"].usd_per_query or 0 for volume in (1, 10_000)
    ]
    assert a_query[1] < a_query[0] / 3


@pytest.mark.parametrize(
    ("unknown", "strategies"),
    [
        ("usd_per_training", {"fine-tuning", "rag + fine-tuning"}),
        ("hosting_usd_per_month", {"fine-tuning", "rag + fine-tuning"}),
        ("tuned_price_factor", {"fine-tuning", "rag + fine-tuning"}),
        ("usd_indexing_a_year", {"rag", "rag + fine-tuning"}),
    ],
)
def test_what_has_an_unknown_price_costs_nobody_knows_what(
    unknown: str, strategies: set[str]
) -> None:
    by_name = found(**{unknown: None})
    assert {name for name, cost in by_name.items() if cost.usd_a_year is None} == strategies
    turning = {
        name
        for turn in break_evens(CORPUS, assumed(**{unknown: None}))
        for name in (turn.cheaper, turn.other)
    }
    assert turning and not turning & strategies
    one, other = by_name["prompt"], by_name["rag + fine-tuning"]
    assert costs_no_more(one, other)
    assert not costs_no_more(other, one)


@settings(max_examples=25)
@given(st.floats(0.1, 5), st.floats(0, 1_000), st.floats(1, 50_000))
def test_at_a_break_even_both_cost_the_same_and_their_order_turns(
    factor: float, training: float, context: float
) -> None:
    names = {"tuned_price_factor": factor, "usd_per_training": training, "context_tokens": context}
    for turn in break_evens(CORPUS, assumed(**names)):
        there, before, behind = (
            found(**names, queries_per_day=turn.queries_per_day * times)
            for times in (1, 0.99, 1.01)
        )
        one, other = there[turn.cheaper].usd_a_year, there[turn.other].usd_a_year
        assert one == pytest.approx(other, rel=1e-4)
        assert costs_no_more(before[turn.other], before[turn.cheaper])
        assert costs_no_more(behind[turn.cheaper], behind[turn.other])


@pytest.mark.parametrize(
    "text", ["queries_per_day", "queries_per_day=many", "window=-1", "window="]
)
def test_an_assumption_is_a_name_and_a_number(text: str) -> None:
    with pytest.raises(Rejected, match="is no NAME=NUMBER"):
        read_given([text])


@pytest.mark.parametrize("text", ["oracle_gap=90", "window_share=1.5"])
def test_a_share_is_no_more_than_all(text: str) -> None:
    with pytest.raises(Rejected, match="is no share"):
        read_given([text])


def test_what_a_paper_measured_is_not_said_to_be_its_limit() -> None:
    for name, threshold in THRESHOLDS.items():
        if "arXiv" in threshold.source and name != "least_examples":
            assert "the limit is Openbook's own" in threshold.source, name


def test_an_unknown_assumption_is_answered_with_those_there_are() -> None:
    with pytest.raises(Rejected) as caught:
        read_given(["?"])
    assert "queries_per_day" in caught.value.remedy
    assert "least_examples" in caught.value.remedy
    assert read_given(["window=1_000", "least_examples=50"]) == {
        "window": 1_000, "least_examples": 50,
    }  # fmt: skip
