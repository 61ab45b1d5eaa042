"""The hashing embedder: for tests, and for measuring everything but the embedder."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tasks.embedders.hashing import HashingEmbedder, WordTokenizer


@given(st.lists(st.text(), min_size=1))
def test_no_text_has_a_vector_of_another_length_than_one(texts: list[str]) -> None:
    lengths = np.linalg.norm(HashingEmbedder().embed(texts), axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_its_vectors_never_change_between_processes() -> None:
    [vector] = HashingEmbedder().embed(["The quick brown fox"])
    places = {int(place): int(np.sign(vector[place])) for place in np.flatnonzero(vector)}
    assert places == {13: -1, 20: 1, 29: 1, 59: 1, 93: -1, 118: -1, 147: 1}


def test_case_does_not_matter_and_order_does() -> None:
    lower, upper, swapped = HashingEmbedder().embed(["red car", "RED Car", "car red"])
    np.testing.assert_array_equal(lower, upper)
    assert 0.5 < lower @ swapped < 0.9


def test_words_that_cancel_each_other_out_still_have_a_place() -> None:
    embedder = HashingEmbedder()
    singles = embedder.embed([f"w{number}" for number in range(2000)])
    sums = singles @ singles.T
    opposite = [f"w{place}" for place in np.unravel_index(sums.argmin(), sums.shape)]
    assert sums.min() == -1
    assert np.linalg.norm(embedder.embed([" ".join(opposite)])) == 1


def test_a_run_without_spaces_is_many_tokens() -> None:
    [spans] = WordTokenizer().spans(["a" * 100])
    assert max(end - start for start, end in spans) <= 24
