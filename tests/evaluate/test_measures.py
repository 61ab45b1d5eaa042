"""Measures, intervals and tests of significance have the values that their definitions give."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.exam import Question
from tasks.evaluate.measures import compare, interval, randomised, score


def test_each_question_gets_each_measure() -> None:
    questions = [
        Question("a", {"x": 2, "y": 1, "z": 0}),
        Question("b", {"x": 1}),
        Question("c", {"x": 1}),
    ]
    values = score(questions, [["z", "x"], ["x"], []])
    ideal = 2 / log2(2) + 1 / log2(3)
    assert values["ndcg@10"] == pytest.approx([2 / log2(3) / ideal, 1, 0])
    assert values["recall@10"] == pytest.approx([0.5, 1, 0])
    assert values["mrr"] == pytest.approx([0.5, 1, 0])
    assert values["success@1"] == pytest.approx([0, 1, 0])


def test_recall_is_cut_at_ten_and_at_a_hundred() -> None:
    ranking = [f"other{place}" for place in range(10)] + ["x"]
    values = score([Question("a", {"x": 1})], [ranking])
    assert (values["recall@10"][0], values["recall@100"][0]) == (0, 1)


def test_an_interval_covers_the_mean_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(1).random(200)
    low, high = interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 200**0.5, rel=0.1)
    assert interval(values) == (low, high)


def test_a_difference_by_chance_is_told_from_one_that_is_none() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 400)
    assert randomised(noise - noise.mean() + 0.2) < 0.01
    assert randomised(noise - noise.mean() + 0.01) > 0.5
    assert randomised(np.zeros(5)) == 1


@given(st.lists(st.sampled_from([-1.0, -0.5, 0.0, 0.5, 1.0]), min_size=1, max_size=10))
def test_p_is_the_share_of_sign_patterns_that_reach_the_difference(values: list[float]) -> None:
    differences = np.array(values)
    signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
    exact = np.mean(np.abs(signs @ differences) >= abs(differences.sum()) - 1e-9)
    assert randomised(differences) == pytest.approx(exact, abs=0.03)


def test_later_modes_are_compared_with_earlier_ones() -> None:
    values = {"keyword": np.array([0.0, 0.5]), "hybrid": np.array([1.0, 0.5])}
    (one,) = compare(values)
    assert (one.mode, one.other, one.difference) == ("hybrid", "keyword", 0.5)
