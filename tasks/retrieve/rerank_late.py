"""Late interaction over the token vectors of the default embedding model.

MaxSim of ColBERT (Khattab and Zaharia, SIGIR 2020, arXiv 2004.12832): each token of the query looks
for the token of the text that is most like it. all-MiniLM-L6-v2 was not trained for it, so that its
word counts beside the search's and not instead of it; the share was found on the -dev collections,
`python -m tests.bench.bench_search`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tasks.embedders.minilm import MODEL, MiniLMEmbedder

_KEPT = 1_000
"""How many texts' vectors are kept in memory, at most 195 kB each."""


class LateInteraction:
    """The mean, over the query's tokens, of the largest cosine among the text's tokens."""

    name = f"late interaction, {MODEL}"
    share = 0.4

    def __init__(self, home: Path) -> None:
        self._model = MiniLMEmbedder(home)
        self._kept = lru_cache(_KEPT)(self._compute)

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """A score for each text, float64 [texts], from -1 to 1."""
        asked = self._model.token_vectors(query)
        if not len(asked):
            return np.zeros(len(texts))
        return np.array([self._score(asked, text) for text in texts])

    def _score(self, asked: NDArray[np.float32], text: str) -> float:
        said = self._kept(text).astype(np.float32)
        return float((asked @ said.T).max(axis=1).mean()) if len(said) else -1.0

    def _compute(self, text: str) -> NDArray[np.float16]:
        return self._model.token_vectors(text).astype(np.float16)
