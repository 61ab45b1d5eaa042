"""Text to vectors: one interface, three implementations, shared by ingestion and search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.errors import Rejected
from tasks.records import Usage
from tasks.settings import Settings

Spans = list[tuple[int, int]]


class Tokenizer(Protocol):
    """Counts and places tokens, so that chunks are measured in the embedding model's own units."""

    @property
    def name(self) -> str:
        """Identifies the vocabulary; chunks are cut anew when it changes."""

    @property
    def special_tokens(self) -> int:
        """How many tokens the model adds to every text (such as [CLS] and [SEP])."""

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """The [start, end) character span of each token of each text, special tokens left out."""


class PoisonTexts(Rejected):
    """Some texts of a call cannot be embedded; the others were, and need not be bought again.

    `reasons` says why, by the text's position in the call. `vectors` is what `embed` would have
    returned, float32 [texts, dimensions], with NaN in the rows of those positions.
    """

    retry = "later"

    def __init__(self, reasons: Mapping[int, str], vectors: NDArray[np.float32]) -> None:
        position, reason = next(iter(reasons.items()))
        super().__init__(
            f"{len(reasons)} of {len(vectors)} texts cannot be embedded: at {position}, {reason}",
            "Change the text, or give the embedding model another try later.",
        )
        self.reasons = reasons
        self.vectors = vectors

    def __reduce__(self) -> tuple[type[PoisonTexts], Any]:
        return type(self), (self.reasons, self.vectors)


class Embedder(Protocol):
    """Turns texts into unit vectors.

    `name` identifies the vectors' space: equal names mean comparable vectors. `usage` grows with
    each call of `embed`. May be used by several threads at once.
    """

    @property
    def name(self) -> str: ...

    @property
    def dimensions(self) -> int: ...

    @property
    def token_limit(self) -> int:
        """The most tokens of one text that the model reads, special tokens included."""

    @property
    def tokenizer(self) -> Tokenizer: ...

    @property
    def usage(self) -> Usage: ...

    @property
    def usd_per_million_tokens(self) -> float: ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 [len(texts), dimensions], each row of length 1, in the given order.

        Raises PoisonTexts when some of the texts cannot be embedded (it holds the vectors of the
        others), Retryable when the endpoint stays unavailable, Fatal when no further call can
        succeed.
        """


def open_embedder(settings: Settings) -> Embedder:
    """The embedder that the settings name. Heavy libraries are loaded here and not before."""
    if settings.embedder == "hashing":
        from tasks.embedders.hashing import HashingEmbedder

        return HashingEmbedder()
    if settings.embedder == "openai":
        from tasks.embedders.openai import OpenAIEmbedder

        return OpenAIEmbedder(settings)
    from tasks.embedders.minilm import MiniLMEmbedder

    return MiniLMEmbedder(settings.home)
