"""Say of each chunk where it stands in its document, by a language model's words, each bought once.

The method of "Introducing Contextual Retrieval" (Anthropic, September 2024): a model sees the whole
document and one chunk, and what it writes is embedded and indexed with the chunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from itertools import chain
from threading import Event

from psycopg import Connection

from tasks.database import query
from tasks.embedders import Tokenizer
from tasks.errors import Fatal, Retryable
from tasks.ingest.pieces import Measure
from tasks.ingest.runs import Run
from tasks.ingest.store import Reading
from tasks.ingest.writer import ContextWriter, Written
from tasks.records import Chunk, Usage, embedded_text

CONTEXT_VERSION = 1
"""Raise it when the model is asked in another way: every context is then bought anew."""

_ROOM_SHARE = 1 / 4
"""A context takes up at most this share of a chunk."""
_SLACK_SHARE = 1 / 16
"""What is left free of it for a tokenizer whose counts can only be estimated."""
_SHOWN_TOKENS = 8_000
"""Of a longer document, about so much is shown: the same stretch to neighbours, so that providers
find it in their caches."""
_OPENING = 1_000
_SLICE = 16
_REQUESTS_AT_ONCE = 4

Key = tuple[int, bytes]
"""A document's id, and the hash of what a context belongs to."""


@dataclass(frozen=True, slots=True)
class Question:
    """What the model is asked of one chunk.

    `sha256` is of the chunk's text, its title and section path, and its neighbours in the section:
    an edit elsewhere in the document leaves the context as it was. `tokens` is about the length of
    what is shown.
    """

    sha256: bytes
    shown: str
    passage: str
    tokens: int


Asked = Sequence[tuple[Key, Question]]
"""What is asked about a reading: one question a chunk, in their order, or none at all."""


def body_limit(limit: int) -> int:
    """The largest chunk, in tokens, that leaves room for a context below the limit."""
    return limit - int(limit * _ROOM_SHARE)


def questions(text: str, chunks: Sequence[Chunk], tokenizer: Tokenizer) -> list[Question]:
    """What is to be asked of a document's chunks, one each; of an only chunk nothing."""
    if len(chunks) < 2:
        return []
    tokens = Measure.of(tokenizer).tokens(text)
    stretches = _Stretches(text, tokens)
    return [
        Question(
            _identity(chunks, place),
            stretches.around(chunk.start),
            embedded_text(None, chunk.section, chunk.body),
            min(tokens, _SHOWN_TOKENS) + chunk.tokens,
        )
        for place, chunk in enumerate(chunks)
    ]


def _identity(chunks: Sequence[Chunk], place: int) -> bytes:
    chunk = chunks[place]
    neighbours = (
        chunks[at].body if 0 <= at < len(chunks) and chunks[at].section == chunk.section else ""
        for at in (place - 1, place + 1)
    )
    parts = (str(CONTEXT_VERSION), chunk.title or "", *chunk.section, "", chunk.body, *neighbours)
    return hashlib.sha256("\0".join(parts).encode()).digest()


class _Stretches:
    """What is shown of a document: all of it, or overlapping stretches with its opening."""

    def __init__(self, text: str, tokens: int) -> None:
        self._text = text
        self._size = len(text) if tokens <= _SHOWN_TOKENS else len(text) * _SHOWN_TOKENS // tokens
        self._cut: dict[int, str] = {}

    def around(self, start: int) -> str:
        """The stretch in whose middle half the character is, as far as there is text."""
        if self._size == len(self._text):
            return self._text
        step = max(1, self._size // 2)
        last = -(-(len(self._text) - self._size) // step)
        number = min(max(0, (start - self._size // 4) // step), last)
        if number not in self._cut:
            stretch = self._text[number * step : number * step + self._size]
            opening = f"{self._text[:_OPENING]}\n[…]\n" if number else ""
            self._cut[number] = opening + stretch
        return self._cut[number]


def ask_about(
    connection: Connection, source_id: int, readings: Sequence[Reading], tokenizer: Tokenizer
) -> list[Asked]:
    """What is to be asked about each of the readings.

    A context belongs to a document, and goes with it when it is forgotten: it repeats words of the
    document, which the readers of another one with the same passage need not be allowed to see.
    """
    sha256s = [reading.key.sha256 for reading in readings]
    rows = connection.execute(
        query("context_owners"), {"source": source_id, "sha256s": sha256s}
    ).fetchall()
    owners = {bytes(sha256): document_id for sha256, document_id in rows}
    return [
        [
            ((owners[reading.key.sha256], question.sha256), question)
            for question in questions(reading.document.text, reading.chunks, tokenizer)
            if reading.key.sha256 in owners
        ]
        for reading in readings
    ]


def placed(
    reading: Reading,
    asked: Asked,
    contexts: Mapping[Key, str | None],
    tokenizer: Tokenizer,
    limit: int,
) -> Reading:
    """The reading with its chunks' contexts, each cut to its share of `limit`."""
    if not asked:
        return reading
    measure = Measure.of(tokenizer)
    room = int(limit * _ROOM_SHARE * (1 - _SLACK_SHARE))
    given = [measure.clip(contexts.get(key) or "", room) or None for key, _ in asked]
    chunks = [replace(one, context=text) for one, text in zip(reading.chunks, given, strict=True)]
    tokens = measure.count([chunk.embedded_text for chunk in chunks])
    counted = (replace(one, tokens=count) for one, count in zip(chunks, tokens, strict=True))
    return replace(reading, chunks=tuple(counted))


def add_contexts(
    connection: Connection,
    run: Run,
    readings: Sequence[Reading],
    writer: ContextWriter,
    *,
    tokenizer: Tokenizer,
    limit: int,
) -> list[Reading]:
    """The readings with the contexts of their chunks, of at most `limit` tokens each; see `buy`."""
    asked = ask_about(connection, run.source_id, readings, tokenizer)
    found = buy(connection, run.id, writer, dict(chain.from_iterable(asked)))
    return [
        placed(reading, one, found, tokenizer, limit)
        for reading, one in zip(readings, asked, strict=True)
    ]


def known_contexts(
    connection: Connection, model: str, keys: Sequence[Key]
) -> dict[Key, str | None]:
    """The contexts that were bought of the model before; None where it had none to give."""
    rows = connection.execute(query("contexts_known"), {"model": model, **_columns(keys)})
    return {(document, bytes(sha256)): context for document, sha256, context in rows}


def buy(
    connection: Connection,
    run_id: int,
    writer: ContextWriter,
    asked: Mapping[Key, Question],
) -> dict[Key, str | None]:
    """The contexts that the questions ask for; those that nobody has bought are bought now.

    Works in its own transactions: one a few questions, committed with what they cost the run as
    they are answered. Runs that need the same context at the same time buy it once. Raises
    Retryable or Fatal as the writer does; what was bought is kept.
    """
    connection.commit()
    found = known_contexts(connection, writer.model, list(asked))
    connection.commit()
    missing = [key for key in asked if key not in found]
    for start in range(0, len(missing), _SLICE):
        some = missing[start : start + _SLICE]
        found |= _buy_slice(connection, run_id, writer, {key: asked[key] for key in some})
    with connection.transaction():
        connection.execute(query("contexts_turn"), {"model": writer.model, **_columns(list(asked))})
    return found


def _buy_slice(
    connection: Connection, run_id: int, writer: ContextWriter, asked: Mapping[Key, Question]
) -> dict[Key, str | None]:
    with connection.transaction():
        connection.execute(query("contexts_lock"), _columns(list(asked)))
        found = known_contexts(connection, writer.model, list(asked))
        written, error = _write(writer, {k: q for k, q in asked.items() if k not in found})
        spent = sum((one.usage for one in written.values()), Usage())
        connection.execute(
            query("contexts_store"),
            {
                "model": writer.model,
                **_columns(list(written)),
                "contexts": [one.context for one in written.values()],
                "refusals": [one.refusal for one in written.values()],
            },
        )
        connection.execute(
            query("run_spend"), {"run": run_id, "tokens": spent.tokens, "usd": spent.usd}
        )
    if error:
        raise error
    return found | {key: one.context for key, one in written.items()}


def _write(
    writer: ContextWriter, asked: Mapping[Key, Question]
) -> tuple[dict[Key, Written], Retryable | Fatal | None]:
    """What the model wrote, as far as it came, and what ended it."""
    stop = Event()
    error: Retryable | Fatal | None = None
    written = {}

    def ask(question: Question) -> Written | None:
        if stop.is_set():
            return None
        return writer.write(question.shown, question.passage, stop)

    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        futures = {pool.submit(ask, question): key for key, question in asked.items()}
        try:
            for future in as_completed(futures):
                try:
                    answer = future.result()
                except (Retryable, Fatal) as failure:
                    stop.set()
                    error = failure if error is None or isinstance(failure, Fatal) else error
                else:
                    if answer:
                        written[futures[future]] = answer
        except BaseException:
            stop.set()
            raise
    return written, error


def _columns(keys: Sequence[Key]) -> dict[str, list[int] | list[bytes]]:
    return {
        "documents": [document_id for document_id, _ in keys],
        "sha256s": [sha256 for _, sha256 in keys],
    }
