"""What answers use: tokens and milliseconds of a question, dollars of what retrieval stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.prices import list_price

_PREFERRED = ("rag", "none", "long-context")
"""Whose answers tell what a question costs beside its passages. Of a long context the two counts
of tokens, the endpoint's and ours, differ by more than a question has."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a question costs in tokens and milliseconds; None where nothing says.

    `prompt_tokens` are what an answer read beside its passages, `context_tokens` the passages that
    retrieval showed.
    """

    prompt_tokens: float | None
    context_tokens: float | None
    output_tokens: float | None
    retrieval_ms: float | None
    generation_ms: float | None


def usage(
    answered: Sequence[Mapping[str, Any]],
    said: Mapping[str, Any],
    examined: Sequence[Mapping[str, Any]],
) -> Usage:
    """What `answered` says, one row a strategy, else all that was `said`, else examinations.

    Tokens of prompts come from answers whose passages were counted alone: what a message of
    somebody else's program read may hold anything.
    """
    by_strategy = {row["strategy"]: row for row in answered}
    rag = [row for row in examined if row["condition"] == "rag"]

    def logged(column: str) -> float | None:
        rows = (by_strategy.get(strategy, {}) for strategy in _PREFERRED)
        return _first(*(row.get(column) for row in rows))

    return Usage(
        _first(logged("prompt_tokens"), _mean(rag, "prompt_tokens")),
        _first(by_strategy.get("rag", {}).get("context_tokens"), _mean(rag, "context_tokens")),
        _first(logged("output_tokens"), said["output_tokens"], _mean(rag, "output_tokens")),
        _first(logged("retrieval_ms"), _mean(rag, "retrieval_ms")),
        _first(logged("generation_ms"), said["latency_ms"], _mean(rag, "generation_ms")),
    )


def indexing_usd(paid: Mapping[str, Any]) -> float | None:
    """Dollars of a year's embeddings and contexts: of the first load, and of changes since.

    `paid` has what both cost, over how many `days` the changes came, and the models that charged
    nothing for tokens. None where one of those may charge: its price is not known.
    """
    if any(list_price(name.partition("@")[0]).input != 0 for name in paid["unpaid"]):
        return None
    changes = paid["changes_usd"] * (365 / paid["days"] if paid["days"] >= 1 else 1.0)
    return float(paid["first_usd"] + changes)


def _mean(rows: Sequence[Mapping[str, Any]], column: str) -> float | None:
    values = [row[column] for row in rows if row[column] is not None]
    return sum(values) / len(values) if values else None


def _first(*values: float | None) -> float | None:
    return next((float(value) for value in values if value is not None), None)
