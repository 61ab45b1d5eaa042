"""OpenAI's embedding models, and any endpoint that speaks their protocol."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from threading import Event, Lock

import numpy as np
from numpy.typing import NDArray

from tasks.embedders import PoisonTexts
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.embedders.endpoint import EmbeddingEndpoint, Reply
from tasks.endpoint import Patience
from tasks.errors import Fatal, Rejected
from tasks.prices import list_price
from tasks.records import Usage
from tasks.settings import Settings

_DIMENSIONS = {
    "text-embedding-3-small": 1536,
    "text-embedding-3-large": 3072,
    "text-embedding-ada-002": 1536,
}

_TEXTS_A_REQUEST = 64
_TOKENS_A_REQUEST = 65_536
"""Well below the API's 2,048 texts and 300,000 tokens: what is sent again is little."""
_REQUESTS_AT_ONCE = 4
_PROBE = "Openbook"


class OpenAIEmbedder:
    """Vectors bought from an endpoint, scaled to length 1. May be used by several threads at once.

    `usd_per_million_tokens` is 0 for models whose price is not known here.
    """

    token_limit = 8191

    def __init__(self, settings: Settings, patience: Patience | None = None) -> None:
        """Nothing is sent yet. Raises Fatal when there is no usable key."""
        model, asked = settings.embedding_model, settings.embedding_dimensions
        known = _DIMENSIONS.get(model)
        self.usd_per_million_tokens = list_price(model).input or 0.0
        shortened = asked if asked != known else None
        self.name = model if shortened is None else f"{model}@{shortened}"
        self.tokenizer = Cl100kTokenizer()
        self.usage = Usage()
        self._known_dimensions = asked or known
        self._texts_a_request = _TEXTS_A_REQUEST
        self._has_answered = False
        self._lock = Lock()
        self._endpoint = EmbeddingEndpoint(
            settings.embedding_url,
            settings.embedding_key,
            model,
            shortened,
            patience or Patience(),
        )

    @cached_property
    def dimensions(self) -> int:
        """The length of a vector; of a model not known here, learned by embedding one text."""
        return self._known_dimensions or self._probe().vectors.shape[1]

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts: float32 [len(texts), dimensions], each row of length 1, in the given order.

        Raises PoisonTexts when the endpoint refuses some of the texts or has no usable vector for
        them, Retryable when it stays unavailable, Fatal when no further call can succeed: a wrong
        key or model, no quota, another model's vectors.
        """
        call = _Call(texts, self.dimensions)
        with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
            batches = list(self._batches(texts))
            futures = [pool.submit(self._embed_batch, call, batch) for batch in batches]
            try:
                for future in as_completed(futures):
                    future.result()
            except BaseException:
                call.stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        if call.reasons:
            raise PoisonTexts(dict(sorted(call.reasons.items())), call.vectors)
        return call.vectors

    def _batches(self, texts: Sequence[str]) -> Iterator[range]:
        """The positions of each request's texts."""
        start = tokens = 0
        for position, spans in enumerate(self.tokenizer.spans(texts)):
            full = tokens + len(spans) > _TOKENS_A_REQUEST
            if position > start and (full or position - start == self._texts_a_request):
                yield range(start, position)
                start, tokens = position, 0
            tokens += len(spans)
        if texts:
            yield range(start, len(texts))

    def _embed_batch(self, call: _Call, positions: range) -> None:
        """Embed these texts; a refused request is halved until what is refused stands alone."""
        if call.stop.is_set():
            return
        texts = [call.texts[position] for position in positions]
        try:
            reply = self._endpoint.embed(texts, call.stop)
        except Rejected as refusal:
            if len(positions) == 1:
                self._blame(refusal)
                call.reasons[positions[0]] = refusal.message
                return
            middle = len(positions) // 2
            self._embed_batch(call, positions[:middle])
            self._embed_batch(call, positions[middle:])
            if not call.reasons.keys() & set(positions):
                # Each half alone was welcome, so the request was too long for this endpoint.
                self._texts_a_request = min(self._texts_a_request, len(positions) - middle)
            return
        self._count(reply, texts)
        self._keep(call, positions, reply.vectors)

    def _keep(self, call: _Call, positions: range, vectors: NDArray[np.float32]) -> None:
        """Scale the rows to length 1 and put them in their places."""
        if vectors.shape[1] != call.vectors.shape[1]:
            raise Fatal(
                f"{self.name} has {call.vectors.shape[1]} dimensions, and {self._endpoint.url} "
                f"answers with {vectors.shape[1]}",
                "Check OPENBOOK_EMBEDDING_MODEL and OPENBOOK_EMBEDDING_DIMENSIONS.",
            )
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        for position, vector, length in zip(positions, vectors, lengths, strict=True):
            if np.isfinite(length) and length > 0:
                call.vectors[position] = vector / length
            else:
                flaw = "is zero" if length == 0 else "is not finite"
                call.reasons[position] = f"the vector that {self._endpoint.url} gives it {flaw}"

    def _blame(self, refusal: Rejected) -> None:
        """Make sure that it is the text which is refused, not everything: else Fatal."""
        if not self._has_answered:
            self._probe(refusal)

    def _probe(self, refusal: Rejected | None = None) -> Reply:
        """Embed a text that nothing can be wrong with."""
        try:
            reply = self._endpoint.embed([_PROBE], Event())
        except Rejected as error:
            raise Fatal(
                f"Every text is refused: {(refusal or error).message}",
                "Check OPENBOOK_EMBEDDING_URL, OPENBOOK_EMBEDDING_MODEL and "
                "OPENBOOK_EMBEDDING_DIMENSIONS.",
            ) from None
        self._count(reply, [_PROBE])
        return reply

    def _count(self, reply: Reply, texts: list[str]) -> None:
        tokens = reply.tokens or sum(map(len, self.tokenizer.spans(texts)))
        with self._lock:
            self._has_answered = True
            self.usage += Usage(tokens, tokens * self.usd_per_million_tokens / 1e6)


class _Call:
    """One call of `embed` while its requests are under way."""

    def __init__(self, texts: Sequence[str], dimensions: int) -> None:
        self.texts = texts
        self.vectors = np.full((len(texts), dimensions), np.nan, np.float32)
        self.reasons: dict[int, str] = {}
        self.stop = Event()
