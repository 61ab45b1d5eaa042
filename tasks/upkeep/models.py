"""A second embedding model beside the first: coverage, price, and the switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from tasks.database import query
from tasks.errors import Fatal
from tasks.records import Usage


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model; `covered` of the `texts` that readers see have its vector."""

    name: str
    dimensions: int
    serving: bool
    covered: int
    texts: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model lacks of the texts that readers see: how many, their tokens, their price."""

    texts: int
    tokens: int
    usd: float


def models(connection: Connection) -> list[Model]:
    """All models, oldest first."""
    with connection.cursor(row_factory=class_row(Model)) as cursor:
        return cursor.execute(query("models")).fetchall()


def estimate(connection: Connection, name: str, usd_per_million_tokens: float) -> Estimate:
    """What it takes to cover all texts, under a model that may be new.

    Tokens are counted as the serving model counts them; the price is in US dollars.
    """
    row = connection.execute(query("model_shortfall"), {"model": name}).fetchone()
    texts, tokens = row or (0, 0)
    return Estimate(texts, tokens, tokens * usd_per_million_tokens / 1e6)


def lacking_texts(connection: Connection, model_id: int, size: int) -> Iterator[list[bytes]]:
    """The hashes of the texts that the model lacks, `size` at a time, in the order of passages."""
    after = 0
    while rows := connection.execute(
        query("model_lacks"), {"model": model_id, "after": after, "size": size}
    ).fetchall():
        after = rows[-1][0]
        yield [bytes(sha256) for _, sha256 in rows]


def begin_reembedding(connection: Connection, model_id: int) -> int:
    """The id of a new run that buys what the model lacks."""
    row = connection.execute(query("reembedding_start"), {"model": model_id}).fetchone()
    assert row is not None
    return int(row[0])


def record_spent(connection: Connection, reembedding: int, texts: int, used: Usage) -> None:
    """Add so many texts and what they used to the run, in a transaction of its own."""
    with connection.transaction():
        connection.execute(
            query("reembedding_spend"),
            {"reembedding": reembedding, "embedded": texts, "tokens": used.tokens, "usd": used.usd},
        )


def spent(connection: Connection, reembedding: int) -> tuple[int, Usage]:
    """How many texts the run sent to the embedder, and what that used."""
    row = connection.execute(query("reembedding_spent"), {"reembedding": reembedding}).fetchone()
    assert row is not None
    return int(row[0]), Usage(int(row[1]), float(row[2]))


def activate(connection: Connection, name: str) -> None:
    """Let search use the model, in one step; raises Fatal while it lacks a readable text."""
    try:
        with connection.transaction():
            connection.execute("select openbook.activate_model(%s)", [name])
    except psycopg.errors.RaiseException as error:
        raise Fatal(error.diag.message_primary or "", error.diag.message_hint or "") from None
