"""Indexes: how they do, and which are built anew."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import psycopg
from psycopg import Connection
from psycopg.rows import class_row
from psycopg.sql import SQL, Identifier

from tasks.database import query
from tasks.errors import Fatal

BLOATED = 2.0
"""An index of more than this many times the size that it needs is built anew."""
_LEAST_BYTES = 16 << 20
"""Smaller ones are left alone: building them anew gains nothing."""
_PATIENCE = "10s"
"""How long a statement that locks readers out may wait for them to finish."""


@dataclass(frozen=True, slots=True)
class IndexHealth:
    """One index; `needed_bytes` is an estimate of its size when built anew, None if unknown."""

    name: str
    table: str
    method: str
    rows: int
    bytes: int
    needed_bytes: int | None
    valid: bool

    @property
    def bloat(self) -> float | None:
        """How many times the size that it needs it has."""
        return self.bytes / self.needed_bytes if self.needed_bytes else None


@dataclass(frozen=True, slots=True)
class KeywordIndex:
    """The keyword index: sealed passages, slots that were struck out, passages to be sealed."""

    blocks: int
    passages: int
    struck_out: int
    pending: int


def index_health(connection: Connection) -> list[IndexHealth]:
    """Every index of the schema, largest first."""
    with connection.cursor(row_factory=class_row(IndexHealth)) as cursor:
        return cursor.execute("select * from openbook.index_health()").fetchall()


def keyword_index(connection: Connection) -> KeywordIndex:
    """How the keyword index does."""
    with connection.cursor(row_factory=class_row(KeywordIndex)) as cursor:
        health = cursor.execute(query("keyword_index")).fetchone()
    assert health is not None
    return health


def summary(connection: Connection) -> dict[str, Any] | None:
    """The indexes in a few words, bloated and invalid ones by name; None for who may not look."""
    try:
        indexes, keywords = index_health(connection), keyword_index(connection)
    except psycopg.errors.InsufficientPrivilege:
        connection.rollback()
        return None
    return {
        "count": len(indexes),
        "bytes": sum(index.bytes for index in indexes),
        "invalid": [index.name for index in indexes if not index.valid],
        "bloated": [index.name for index in indexes if _is_bloated(index, _LEAST_BYTES)],
        "keywords": asdict(keywords),
    }


def rebuild_indexes(connection: Connection, least_bytes: int = _LEAST_BYTES) -> list[str]:
    """Build anew what is invalid, or bloated and of `least_bytes` or more; the names.

    Readers and writers go on meanwhile; the connection must be in autocommit mode. Raises Fatal
    where another user owns the indexes.
    """
    rebuilt = []
    try:
        for index in index_health(connection):
            name = Identifier("openbook", index.name)
            if not index.valid and index.name.rstrip("0123456789").endswith(("_ccnew", "_ccold")):
                # What a rebuilding that was cut off left behind.
                connection.execute(SQL("drop index concurrently {}").format(name))
            elif not index.valid or _is_bloated(index, least_bytes):
                connection.execute(SQL("reindex index concurrently {}").format(name))
                rebuilt.append(index.name)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Fatal(
            f"An index cannot be built anew: {error.diag.message_primary}",
            "Run maintenance as the user that owns the schema.",
        ) from error
    return rebuilt


def build_vector_index(connection: Connection, model_id: int) -> None:
    """Build a model's HNSW index where it is missing, anew where it is untrue.

    The connection must be in autocommit mode.
    """
    name = f"embeddings_{model_id}_hnsw"
    if any(index.name == name for index in index_health(connection)):
        connection.execute(
            SQL("reindex index concurrently {}").format(Identifier("openbook", name))
        )
    connection.execute("select openbook.index_embeddings(%s)", [model_id])


def drop_retired(connection: Connection, retention: timedelta) -> dict[str, int]:
    """Drop the vectors of models that were retired before the retention period; how many of each.

    The connection must be in autocommit mode.
    """
    names = connection.execute("select openbook.retired_models(%s)", [retention]).fetchall()
    return {name: drop_model(connection, name) for (name,) in names}


def drop_model(connection: Connection, name: str) -> int:
    """Drop all vectors of a model; how many. Raises Fatal for one that serves or is unknown."""
    try:
        with connection.transaction():
            connection.execute(f"set local lock_timeout = '{_PATIENCE}'")
            row = connection.execute("select openbook.drop_model(%s)", [name]).fetchone()
    except psycopg.errors.RaiseException as error:
        raise Fatal(error.diag.message_primary or "", error.diag.message_hint or "") from None
    assert row is not None
    return int(row[0])


def _is_bloated(index: IndexHealth, least_bytes: int) -> bool:
    return index.bytes >= least_bytes and index.bloat is not None and index.bloat > BLOATED
