"""Why a chunk is a hit of a query, or why it is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.records import Explanation
from tasks.retrieve.search import ask, embedding_of, storable
from tasks.settings import Settings, current


def why(
    connection: Connection,
    query: str,
    chunk_id: int,
    *,
    k: int = 10,
    mode: str = "hybrid",
    filter: Mapping[str, Any] | None = None,
    predicate: str | None = None,
    as_of: datetime | None = None,
    principals: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Explanation:
    """Explain a search with these parameters, which are `search`'s, for one chunk.

    Ranks and scores are those in the lists of that search, made 1,000 long. Raises Rejected for
    parameters that cannot be used, and for a chunk that is not there or may not be read; Fatal as
    `search` does.
    """
    asked = {
        "query": storable(query),
        "chunk": chunk_id,
        "k": k,
        "mode": mode,
        "filter": Jsonb(dict(filter or {})),
        "predicate": None if predicate is None else storable(predicate),
        "as_of": as_of,
        "embedding": None,
    }
    ((model, words, known),) = ask(connection, "query_words", asked)
    if not known:
        asked["embedding"] = embedding_of(words, model, settings or current())
    ((*row,),) = ask(connection, "why", asked, principals)
    return Explanation(*row)
