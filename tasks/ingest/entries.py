"""Documents that a program gives, rather than files of a folder: cut, stored and kept in step."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence

from psycopg import Connection
from psycopg.rows import class_row

from tasks.database import query
from tasks.embedders import Tokenizer
from tasks.ingest.chunk import CHUNKER_VERSION, chunk
from tasks.ingest.runs import Source
from tasks.ingest.store import ContentKey, Pending, Reading, known_contents, store
from tasks.records import Document, Element, Entry

_FORMAT = "txt"
_WORDS = 3_000


def register_given(
    connection: Connection, name: str, entries: Sequence[Entry], language: str | None = None
) -> Source:
    """The source of that name, in a collection of that name, whose documents are given.

    Its language is `language`, else the one whose stop words are the most of the entries' words.
    """
    if language is None:
        (language,) = connection.execute(
            query("given_language"), {"words": _sample(entries)}
        ).fetchone() or ("english",)
    with connection.cursor(row_factory=class_row(Source)) as cursor:
        source = cursor.execute(
            query("given_source"), {"name": name, "language": language}
        ).fetchone()
    assert source is not None
    return source


def _sample(entries: Sequence[Entry]) -> list[str]:
    """Words from all over the entries."""
    step = max(1, len(entries) // 100)
    words = [word for entry in entries[::step] for word in re.findall(r"\w+", entry.text.lower())]
    return words[:: max(1, len(words) // _WORDS)]


def mark_given(
    connection: Connection, source: Source, entries: Sequence[Entry], recipe: str
) -> list[int]:
    """Make the source's documents these: the ids of those to be read; the others are taken out."""
    parameters = {
        "source": source.id,
        "paths": [entry.id for entry in entries],
        "sha256s": [_sha256(entry) for entry in entries],
        "recipe": recipe,
    }
    with connection.transaction():
        connection.execute(query("given_gone"), parameters)
        return [id for (id,) in connection.execute(query("given_changed"), parameters).fetchall()]


def recipe(source: Source, tokenizer: Tokenizer, limit: int) -> str:
    """What, besides an entry itself, decides how its chunks come out and are indexed."""
    return (
        f"given in {source.language}, chunker {CHUNKER_VERSION}, {tokenizer.name}, {limit} tokens"
    )


def read_given(
    connection: Connection,
    source: Source,
    pending: Sequence[Pending],
    entries: Mapping[str, Entry],
    *,
    tokenizer: Tokenizer,
    limit: int,
) -> list[tuple[int, int]]:
    """Cut and store the pending documents, the (document id, content id) of each."""
    keys = {one: ContentKey(one.sha256, _FORMAT, one.recipe) for one in pending}
    known = known_contents(connection, source.id, list(keys.values()))
    new = {key: _document(entries[one.path]) for one, key in keys.items() if key not in known}
    readings = {
        key: Reading(key, document, chunk(document, tokenizer, limit))
        for key, document in new.items()
    }
    store(connection, source.id, list(readings.values()))
    known |= known_contents(connection, source.id, list(readings))
    connection.commit()
    return [(one.document_id, known[key]) for one, key in keys.items()]


def _document(entry: Entry) -> Document:
    paragraphs = [part for part in re.split(r"\n\s*\n", entry.text) if part.strip()]
    return Document(
        _FORMAT,
        entry.title or None,
        tuple(Element(part, "NarrativeText") for part in paragraphs),
        entry.metadata,
    )


def _sha256(entry: Entry) -> bytes:
    metadata = json.dumps(entry.metadata, sort_keys=True)
    return hashlib.sha256("\0".join((entry.title, entry.text, metadata)).encode()).digest()
