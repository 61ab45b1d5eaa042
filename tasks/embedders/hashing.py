"""A deterministic embedder for tests and tests of scale: texts that share words are near.

Signed feature hashing (Weinberger et al., ICML 2009, arXiv 0902.2206) of lower-cased words and of
pairs of neighbouring words. It knows nothing of meaning; never serve people with it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from threading import Lock
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from tasks.embedders import Spans
from tasks.records import Usage

_DIMENSIONS = 256
_TOKEN = re.compile(r"(\w{1,24})|[^\w\s]")
"""A word (a very long one counts as several), or a mark; only words are captured."""


class WordTokenizer:
    """Words and punctuation marks count one token each."""

    name = "words"
    special_tokens = 0

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """The [start, end) character span of each word and mark of each text."""
        return [[match.span() for match in _TOKEN.finditer(text)] for text in texts]


class HashingEmbedder:
    """Counts of words and word pairs, each hashed to a dimension and a sign."""

    name = "hashing-256"
    dimensions = _DIMENSIONS
    token_limit = 8192
    usd_per_million_tokens = 0.0

    def __init__(self) -> None:
        self.tokenizer = WordTokenizer()
        self.usage = Usage()
        self._lock = Lock()

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 [len(texts), 256], each row of length 1."""
        tokens = [_TOKEN.findall(text.lower()) for text in texts]
        words = [[crc32(token.encode()) for token in found if token] for found in tokens]
        rows = np.repeat(np.arange(len(texts)), [len(hashes) for hashes in words])
        hashes = np.fromiter(chain.from_iterable(words), np.uint32, len(rows))
        neighbours = rows[1:] == rows[:-1]
        pairs = (hashes[:-1] * np.uint32(31) + hashes[1:])[neighbours]
        counts = _count(
            np.concatenate([rows, rows[1:][neighbours]]),
            np.concatenate([hashes, pairs]),
            len(texts),
        )
        for row in map(int, np.flatnonzero(~counts.any(axis=1))):
            # No words, or words that cancel each other out: still a text with a place of its own.
            counts[row, crc32(texts[row].encode()) % _DIMENSIONS] = 1.0
        with self._lock:
            self.usage += Usage(tokens=sum(map(len, tokens)))
        vectors: NDArray[np.float32] = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return vectors


def _count(rows: NDArray[np.int64], hashes: NDArray[np.uint32], texts: int) -> NDArray[np.float32]:
    """Add each hash's sign to its row and dimension: float32 [texts, 256]."""
    # The product's high bits depend on all bits of the hash (Knuth's multiplicative hashing).
    mixed = hashes * np.uint32(2654435761)
    places = rows * _DIMENSIONS + (mixed >> np.uint32(24))
    signs = np.where(mixed & np.uint32(1 << 23), 1.0, -1.0)
    counts = np.bincount(places, signs, texts * _DIMENSIONS)
    return counts.reshape(texts, _DIMENSIONS).astype(np.float32)
