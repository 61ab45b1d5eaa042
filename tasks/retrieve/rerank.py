"""A second look at the best hits: each is read together with the query, and put in order anew.

`OPENBOOK_RERANKER` says by what: `late` (interaction of token vectors), the folder of a local
cross-encoder, or the URL of a `/rerank` endpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tasks.errors import OpenbookError
from tasks.records import Hit, embedded_text
from tasks.settings import Settings

logger = logging.getLogger("openbook")


class Reranker(Protocol):
    """Scores texts against a query. May be used by several threads at once."""

    @property
    def name(self) -> str:
        """What the scores come from."""

    @property
    def share(self) -> float:
        """What its scores weigh beside those of the search, 0 to 1; with 1 they alone count."""

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """A score for each text, float64 [texts]; more is better.

        Raises Retryable or Fatal when there is no answer that can be used.
        """


@lru_cache(maxsize=1)
def open_reranker(settings: Settings) -> Reranker | None:
    """The settings' reranker, opened once a process; None for `off`.

    Raises Fatal for a folder that holds no cross-encoder.
    """
    if settings.reranker == "off":
        return None
    if settings.reranker == "late":
        from tasks.retrieve.rerank_late import LateInteraction

        return LateInteraction(settings.home)
    if settings.reranker.startswith(("http://", "https://")):
        from tasks.retrieve.rerank_endpoint import RerankEndpoint

        return RerankEndpoint(settings)
    from tasks.retrieve.rerank_local import CrossEncoder

    return CrossEncoder(Path(settings.reranker))


def rerank(settings: Settings, query: str, hits: Sequence[Hit]) -> list[Hit]:
    """The hits, the first `rerank_hits` of them in the reranker's order, ranked from 1.

    Each keeps the score of the search. A reranker that cannot answer costs a warning and the new
    order, never the hits.
    """
    head, tail = hits[: settings.rerank_hits], hits[settings.rerank_hits :]
    try:
        reranker = open_reranker(settings)
        if reranker is None or not head:
            return list(hits)
        scores = _scaled(reranker.scores(query, [_text(hit) for hit in head]))
    except OpenbookError as error:
        logger.warning("hits are not reranked: %s", error)
        return list(hits)
    found = _scaled(np.array([hit.score for hit in head]))
    order = np.argsort(-(reranker.share * scores + (1 - reranker.share) * found), kind="stable")
    ordered = [*(head[place] for place in order), *tail]
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered, 1)]


def _text(hit: Hit) -> str:
    return embedded_text(hit.title, (hit.section,) if hit.section else (), hit.text)


def _scaled(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The best as 1, the worst as 0."""
    scaled: NDArray[np.float64] = (scores - scores.min()) / (np.ptp(scores) or 1)
    return scaled
