"""Around a hit: the chunks before and after it, and those that are like it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.records import Hit, Neighbour
from tasks.retrieve.search import ask, storable


def neighbours(
    connection: Connection,
    chunk_id: int,
    *,
    before: int = 1,
    after: int = 1,
    principals: Sequence[str] | None = None,
) -> list[Neighbour]:
    """Up to so many chunks before and after a chunk in its document, in reading order.

    Empty for a chunk that the login, or the principals that it names, may not read.
    """
    asked = {"chunk": chunk_id, "before": before, "after": after}
    return [Neighbour(*row) for row in ask(connection, "neighbours", asked, principals)]


def more_like(
    connection: Connection,
    chunk_id: int,
    *,
    k: int = 10,
    mode: str = "hybrid",
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    per_document: bool = False,
    skip: int = 0,
    principals: Sequence[str] | None = None,
) -> list[Hit]:
    """The `k` chunks of its collection that are most like a chunk; parameters are `search`'s.

    Raises Rejected for parameters that cannot be used, and for a chunk that is not there or may not
    be read.
    """
    asked = {
        "chunk": chunk_id,
        "k": k,
        "mode": mode,
        "filter": Jsonb(dict(filter or {})),
        "predicate": None if predicate is None else storable(predicate),
        "per_document": per_document,
        "skip": skip,
    }
    return [Hit(*row) for row in ask(connection, "more_like", asked, principals)]
