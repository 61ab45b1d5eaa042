"""A second embedding model beside the first: coverage, price, and the switch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg import Connection
from psycopg.rows import class_row

from tasks.database import query
from tasks.errors import Fatal


@dataclass(frozen=True, slots=True)
class Model:
    """An embedding model; `covered` of the `texts` that readers see have its vector."""

    name: str
    dimensions: int
    serving: bool
    covered: int
    texts: int


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What a model lacks of the texts that readers see: how many, and their tokens."""

    texts: int
    tokens: int


def models(connection: Connection) -> list[Model]:
    """All models, oldest first."""
    with connection.cursor(row_factory=class_row(Model)) as cursor:
        return cursor.execute(query("models")).fetchall()


def shortfall(connection: Connection, model_id: int) -> Shortfall:
    """What the model lacks; tokens as the serving model counts them."""
    with connection.cursor(row_factory=class_row(Shortfall)) as cursor:
        lacking = cursor.execute(query("model_shortfall"), {"model": model_id}).fetchone()
    assert lacking is not None
    return lacking


def lacking_texts(connection: Connection, model_id: int, size: int) -> Iterator[list[bytes]]:
    """The hashes of the texts that the model lacks, `size` at a time, in the order of passages."""
    after = 0
    while rows := connection.execute(
        query("model_lacks"), {"model": model_id, "after": after, "size": size}
    ).fetchall():
        after = rows[-1][0]
        yield [bytes(sha256) for _, sha256 in rows]


def activate(connection: Connection, name: str) -> None:
    """Let search use the model, in one step; raises Fatal while it lacks a readable text."""
    try:
        with connection.transaction():
            connection.execute("select openbook.activate_model(%s)", [name])
    except psycopg.errors.RaiseException as error:
        raise Fatal(error.diag.message_primary or "", error.diag.message_hint or "") from None
