"""Whether what search found is worth showing to a model."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.records import Hit


def is_enough(_question: str, hits: Sequence[Hit]) -> bool:
    """Whether there is something to rest an answer on."""
    return bool(hits)
