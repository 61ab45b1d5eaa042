"""How likely a model finds the answers of a held-out split, kept as an examination."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import NamedTuple

from psycopg import Connection

from tasks.database import query
from tasks.errors import Rejected
from tasks.evaluate.answers.figures import close
from tasks.records import ChatModel


class Likelihood(NamedTuple):
    """Of an example's answers: the negative log-likelihood in nats a token, and how many tokens."""

    nll: float
    tokens: int


def store_likelihoods(
    connection: Connection, name: str, model: ChatModel, found: Mapping[str, Likelihood]
) -> int:
    """Keep them, by the sha256 of each example, as an examination that ended; its id.

    `name` is of the dataset version and its split: examinations of one name are compared example by
    example. Raises Rejected where there is no example, or a value is no number.
    """
    if not found:
        raise Rejected(f"{name} has no example that {model.name} can read", "Name another split.")
    if wrong := [example for example, one in found.items() if not isfinite(one.nll)]:
        raise Rejected(
            f"{model.name} gives {len(wrong):,} examples of {name} no likelihood, such as "
            f"{wrong[0][:12]}",
            "Train it again: its weights hold what is no number.",
        )
    with connection.transaction():
        row = connection.execute(
            query("likelihood_store"),
            {
                "name": name,
                "chat_model": model.id,
                "model": model.name,
                "items": list(found),
                "tokens": [one.tokens for one in found.values()],
                "values": [one.nll for one in found.values()],
            },
        ).fetchone()
        assert row is not None
        close(connection, int(row[0]))
    return int(row[0])
