"""Reranking by an endpoint that speaks the `/rerank` protocol of Jina and Cohere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.errors import Fatal, Retryable
from tasks.settings import Settings

_SECONDS = 10.0


class RerankEndpoint:
    """Sends one request a query, and waits ten seconds at most: someone waits for the hits."""

    share = 1.0

    def __init__(self, settings: Settings) -> None:
        import httpx

        self.name = settings.rerank_model or settings.reranker
        self._url = settings.reranker
        self._model = settings.rerank_model
        headers = {}
        if settings.rerank_key:
            headers["Authorization"] = f"Bearer {settings.rerank_key}"
        self._client = httpx.Client(timeout=_SECONDS, headers=headers)

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """A score for each text, float64 [texts], on the endpoint's own scale.

        Raises Retryable for no answer, 429 and 5xx, Fatal for a refusal or a malformed answer.
        """
        import httpx

        body: dict[str, Any] = {"query": query, "documents": list(texts), "top_n": len(texts)}
        if self._model:
            body["model"] = self._model
        try:
            answer = self._client.post(self._url, json=body)
        except httpx.HTTPError as error:
            raise Retryable(
                f"the reranker does not answer ({type(error).__name__})", "Try again later."
            ) from None
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
            raise Retryable(f"the reranker answered {answer.status_code}", "Try again later.")
        if not answer.is_success:
            raise Fatal(
                f"the reranker answered {answer.status_code}",
                "See to OPENBOOK_RERANKER, OPENBOOK_RERANK_KEY and OPENBOOK_RERANK_MODEL.",
            )
        try:
            return _read(answer.json(), len(texts))
        except (ValueError, KeyError, TypeError, IndexError):
            raise Fatal(
                "the reranker's answer is not one of the /rerank protocol",
                'It has to be {"results": [{"index": 0, "relevance_score": 0.9}, …]}.',
            ) from None


def _read(answer: Any, count: int) -> NDArray[np.float64]:
    """What it says of each text; raises when it leaves one out or says what is no number."""
    scores = np.full(count, np.nan)
    for one in answer["results"]:
        if not 0 <= one["index"] < count:
            raise IndexError(one["index"])
        scores[one["index"]] = one["relevance_score"]
    if not np.isfinite(scores).all():
        raise ValueError("a text has no score")
    return scores
