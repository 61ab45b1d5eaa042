"""Whether what search found is worth showing to a model.

What search finds for a question about something else entirely scores low, in hybrid mode, whatever
the collection. What it finds for a question that the collection comes close to answering does not:
that the passages do not answer is then for the model to say. tests/bench/bench_answer.py measures
both.
"""

from __future__ import annotations

from collections.abc import Sequence

from tasks.records import Hit
from tasks.settings import Settings

_MEASURED = "minilm"
_LEAST_SCORE = 0.23


def is_enough(settings: Settings, hits: Sequence[Hit]) -> bool:
    """Whether there is something to rest an answer on.

    Scores are compared only where they were measured: under the default embedder. Others'
    similarities are on scales of their own.
    """
    by_meaning = any(hit.dense_rank is not None for hit in hits)
    if not by_meaning or settings.embedder != _MEASURED:
        return bool(hits)
    return max(hit.score for hit in hits) >= _LEAST_SCORE
