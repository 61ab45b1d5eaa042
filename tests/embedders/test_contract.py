"""What every embedder promises, whichever the settings name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.embedders import Embedder, Tokenizer, open_embedder
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.embedders.hashing import WordTokenizer
from tasks.embedders.minilm import WordPieceTokenizer
from tasks.settings import Settings

TEXTS = [
    "The boiler in hall 3 is inspected every March.",
    "",
    "Größe: 30 µm, naïve café 日本語 😀",
    "The index was rebuilt at night. " * 60,
    "!?",
    "boiler",
]
TOKENIZERS = [WordPieceTokenizer(), WordTokenizer(), Cl100kTokenizer()]


def test_vectors_come_in_order_as_float32_rows_of_length_one(embedder: Embedder) -> None:
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(embedder.embed(TEXTS[::-1]), vectors[::-1])


def test_no_texts_give_no_rows(embedder: Embedder) -> None:
    assert embedder.embed([]).shape == (0, embedder.dimensions)


def test_a_text_has_the_same_vector_alone_and_beside_others(embedder: Embedder) -> None:
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_array_equal(together, alone)


def test_texts_that_share_words_are_nearer_than_others(embedder: Embedder) -> None:
    query, near, far = embedder.embed(
        ["boiler inspection in hall 3", TEXTS[0], "Parental leave lasts fourteen months."]
    )
    assert query @ near > query @ far + 0.2


def test_several_threads_may_embed_at_once(embedder: Embedder) -> None:
    expected = embedder.embed(TEXTS)
    before = embedder.usage.tokens
    embedder.embed(TEXTS)
    tokens = embedder.usage.tokens - before
    with ThreadPoolExecutor(4) as pool:
        for vectors in pool.map(lambda _: embedder.embed(TEXTS), range(8)):
            np.testing.assert_array_equal(vectors, expected)
    assert embedder.usage.tokens == before + 9 * tokens


def test_usage_counts_the_tokens_of_what_was_embedded(embedder: Embedder) -> None:
    before = embedder.usage
    embedder.embed(["one two three", "four"])
    used = embedder.usage - before
    assert used.tokens == 4 + 2 * embedder.tokenizer.special_tokens
    assert used.usd == pytest.approx(used.tokens * embedder.usd_per_million_tokens / 1e6)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
@given(text=st.text())
def test_spans_lie_in_the_text_in_order_and_hold_its_words(tokenizer: Tokenizer, text: str) -> None:
    [spans] = tokenizer.spans([text])
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert spans == sorted(spans)
    covered = {place for start, end in spans for place in range(start, end)}
    words = {place for place, character in enumerate(text) if character.isalnum()}
    assert words <= covered


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_texts_are_measured_apart(tokenizer: Tokenizer) -> None:
    assert tokenizer.spans(TEXTS) == [tokenizer.spans([text])[0] for text in TEXTS]


def test_the_settings_name_the_embedder(graph_home: object) -> None:
    names = [
        open_embedder(Settings(embedder=embedder, embedding_key="key")).name
        for embedder in ("minilm", "openai", "hashing")
    ]
    assert names == ["all-MiniLM-L6-v2-int8", "text-embedding-3-small", "hashing-256"]
