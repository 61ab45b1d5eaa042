"""Buy the vectors that are missing, each text once, and keep every batch that arrives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from threading import Lock

from pgvector import HalfVector
from psycopg import Connection

from tasks.database import query
from tasks.embedders import Embedder, PoisonTexts
from tasks.errors import Fatal, Rejected
from tasks.records import Usage

_SLICE = 256


@dataclass(frozen=True, slots=True)
class Purchase:
    """How many texts were sent to the embedder, what that used, and by hash why some got none."""

    texts: int
    usage: Usage
    refused: Mapping[bytes, str] = field(default_factory=dict)


class _Meter:
    """Shares what an embedder uses among the batches that use it at the same time.

    Each reading holds what came since the one before, so that their sum is what was used.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._told = embedder.usage
        self._lock = Lock()

    def read(self) -> Usage:
        with self._lock:
            told, self._told = self._told, self._embedder.usage
            return self._told - told


class TextRefused(Rejected):
    """The embedder has no vector for one of a document's texts."""

    retry = "later"


def add_model(connection: Connection, embedder: Embedder) -> int:
    """The id of the embedder's model, registered with its partition when it is new."""
    row = connection.execute(
        "select openbook.add_model(%s, %s, %s)",
        (embedder.name, embedder.dimensions, embedder.token_limit),
    ).fetchone()
    assert row is not None
    return int(row[0])


def serving_model(connection: Connection, embedder: Embedder) -> int:
    """The id of the embedder's model, which must be the one that search uses.

    The first model that a database meets serves. Raises Fatal when another one does.
    """
    model_id = add_model(connection, embedder)
    row = connection.execute("select id, name from models where serving").fetchone()
    if row is None or row[0] != model_id:
        raise Fatal(
            f"Search uses the model {row[1] if row else 'none'}, not {embedder.name}",
            "Set OPENBOOK_EMBEDDER back, or change over: openbook reembed, then "
            f"openbook models activate {embedder.name}.",
        )
    return model_id


def missing_texts(connection: Connection, model_id: int, content_ids: Sequence[int]) -> list[bytes]:
    """The hashes of the contents' texts that have no vector under the model yet."""
    parameters = {"model": model_id, "contents": list(content_ids)}
    return [bytes(row[0]) for row in connection.execute(query("embed_missing"), parameters)]


def embed(
    connection: Connection, embedder: Embedder, model_id: int, sha256s: Sequence[bytes]
) -> Purchase:
    """Embed those of the texts that have no vector under the model when their turn comes.

    Works in its own transactions: one a slice of texts, committed as it arrives. Runs that need the
    same text at the same time buy it once: a slice takes a lock a text, whoever comes second waits
    and finds it there. A text that the embedder refuses costs itself alone.
    """
    connection.commit()
    meter = _meter(embedder)  # type: ignore[arg-type]  # a Protocol is not seen to be hashable
    bought = 0
    taken: list[bytes] = []
    refused: dict[bytes, str] = {}
    for some in _slices(sha256s):
        with connection.transaction():
            rows = connection.execute(
                query("embed_lock"), {"model": model_id, "sha256s": some}
            ).fetchall()
            mine = [bytes(sha256) for sha256, locked in rows if locked]
            taken += [bytes(sha256) for sha256, locked in rows if not locked]
            bought += _buy(connection, embedder, model_id, mine, refused)
    for some in _slices(sorted(taken)):
        with connection.transaction():
            connection.execute(query("embed_wait"), {"model": model_id, "sha256s": some})
            bought += _buy(connection, embedder, model_id, some, refused)
    return Purchase(bought, meter.read(), refused)


@cache
def _meter(embedder: Embedder) -> _Meter:
    return _Meter(embedder)


def _slices(sha256s: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    for start in range(0, len(sha256s), _SLICE):
        yield sha256s[start : start + _SLICE]


def _buy(
    connection: Connection,
    embedder: Embedder,
    model_id: int,
    sha256s: Sequence[bytes],
    refused: dict[bytes, str],
) -> int:
    """Embed and insert what is still missing of `sha256s`, whose locks the caller holds.

    Texts that the embedder refuses are added to `refused`. The number of texts that were sent.
    """
    rows = connection.execute(
        query("embed_texts"), {"model": model_id, "sha256s": list(sha256s)}
    ).fetchall()
    if not rows:
        return 0
    try:
        vectors = embedder.embed([text for _, text in rows])
    except PoisonTexts as poison:
        vectors = poison.vectors
        refused.update({bytes(rows[i][0]): reason for i, reason in poison.reasons.items()})
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "copy embeddings (model_id, sha256, embedding) from stdin with (format binary)"
        ) as copy,
    ):
        copy.set_types(("int8", "bytea", "halfvec"))
        for (sha256, _), vector in zip(rows, vectors, strict=True):
            if bytes(sha256) not in refused:
                copy.write_row((model_id, sha256, HalfVector(vector)))
    return len(rows)
