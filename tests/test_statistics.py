"""The statistics of the gate hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.statistics import (
    Comparison,
    bootstrap,
    compare,
    mcnemar,
    minimum_detectable,
    student,
    verdict,
)

scores = st.lists(
    st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=2, max_size=40
)
passes = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=60
)


def compared(pairs: list[tuple[float, float]]) -> Comparison:
    ours, theirs = np.array(pairs, float).T
    return compare(ours, theirs)


@settings(max_examples=40, deadline=None)
@given(st.one_of(scores, passes))
def test_a_comparison_turned_round_has_the_opposite_difference(
    pairs: list[tuple[float, float]],
) -> None:
    one, other = compared(pairs), compared([(b, a) for a, b in pairs])
    assert one.difference == pytest.approx(-other.difference)
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low), abs=1.5 / len(pairs))
    assert one.p == other.p
    assert one.minimum_detectable == other.minimum_detectable


@settings(max_examples=40, deadline=None)
@given(st.one_of(scores, passes))
def test_the_difference_lies_within_its_interval(pairs: list[tuple[float, float]]) -> None:
    found = compared(pairs)
    assert found.low - 1e-9 <= found.difference <= found.high + 1e-9
    assert compared(pairs) == found


@settings(max_examples=40, deadline=None)
@given(st.one_of(scores, passes))
def test_a_model_is_never_better_than_itself(pairs: list[tuple[float, float]]) -> None:
    found = compared([(a, a) for a, _ in pairs])
    assert verdict(found, 0.0, 0.05, 0.95) == "not worse"


@settings(max_examples=40, deadline=None)
@given(st.one_of(scores, passes))
def test_of_two_models_at_most_one_is_better(pairs: list[tuple[float, float]]) -> None:
    turned = [(b, a) for a, b in pairs]
    both = [verdict(compared(one), 0.0, 0.05, 0.95) for one in (pairs, turned)]
    assert both.count("better") <= 1


@settings(max_examples=40, deadline=None)
@given(st.one_of(scores, passes), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_higher_margin_never_makes_a_candidate_better(
    pairs: list[tuple[float, float]], margin: float, more: float
) -> None:
    found = compared(pairs)
    if verdict(found, margin + more, 0.05, 0.95) == "better":
        assert verdict(found, margin, 0.05, 0.95) == "better"


@pytest.mark.parametrize(
    ("wins", "losses", "p"), [(0, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (10, 2, 0.03857421875)]
)
def test_mcnemar_is_exact(wins: int, losses: int, p: float) -> None:
    assert mcnemar(wins, losses) == mcnemar(losses, wins) == pytest.approx(p)


def test_five_wins_and_no_loss_are_not_enough() -> None:
    five = [(1.0, 0.0)] * 5 + [(1.0, 1.0)] * 45
    six = [(1.0, 0.0)] * 6 + [(1.0, 1.0)] * 44
    assert bootstrap(np.array([1.0] * 5 + [0.0] * 45), 0.95)[0] > 0
    assert verdict(compared(five), 0.0, 0.05, 0.95) == "not worse"
    assert verdict(compared(six), 0.0, 0.05, 0.95) == "better"


def test_small_gains_do_not_hide_a_large_loss_that_few_items_seldom_show() -> None:
    random = np.random.default_rng(3)
    promoted = 0
    for _ in range(200):  # no gain on the whole: every twentieth item loses what the others gain
        lost = random.random(20) < 0.05
        pairs = [(0.0, 0.95) if one else (0.55, 0.5) for one in lost]
        promoted += verdict(compared(pairs), 0.0, 0.05, 0.95) == "better"
    assert promoted <= 200 * 0.025
    large = [(0.5 + gain, 0.5) for gain in random.normal(0.25, 0.1, 20)]
    assert verdict(compared(large), 0.0, 0.05, 0.95) == "better"


@pytest.mark.parametrize(
    ("freedom", "t"), [(1, 12.7062), (2, 4.30265), (3, 3.18245), (9, 2.26216), (99, 1.98422)]
)
def test_students_t_is_that_of_the_tables(freedom: int, t: float) -> None:
    assert student(0.975, freedom) == pytest.approx(t, rel=0.005)


def test_the_interval_of_many_values_is_the_normal_one() -> None:
    values = np.random.default_rng(1).normal(0.1, 1, 2000)
    low, high = bootstrap(values, 0.95)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.005)


def test_fifty_questions_cannot_show_five_points() -> None:
    assert minimum_detectable(50, 0.2, 0.95, binary=True) > 0.15
    assert minimum_detectable(100, 0.2, 0.95, binary=True) == pytest.approx(0.125, abs=0.005)
    assert minimum_detectable(800, 0.2, 0.95, binary=True) < 0.05
    assert minimum_detectable(100, 0.0, 0.95, binary=True) == pytest.approx(0.078, abs=0.01)


@pytest.mark.parametrize(
    ("ours", "theirs"), [([], []), ([1.0], [1.0, 0.0]), ([float("nan")] * 2, [0.0, 1.0])]
)
def test_what_cannot_be_paired_is_refused(ours: list[float], theirs: list[float]) -> None:
    with pytest.raises(ValueError, match=r"cannot be paired|no number"):
        compare(np.array(ours), np.array(theirs))
