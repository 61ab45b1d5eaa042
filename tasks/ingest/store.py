"""What was read is committed at once: contents, chunks and passages that nobody sees yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from psycopg import Connection
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from tasks.database import query
from tasks.records import Chunk, Document


@dataclass(frozen=True, slots=True)
class Pending:
    """A document whose file is to be read."""

    document_id: int
    path: str
    sha256: bytes
    recipe: str


class ContentKey(NamedTuple):
    """What identifies a content within a collection: the bytes, and how they were read."""

    sha256: bytes
    format: str
    recipe: str


@dataclass(frozen=True, slots=True)
class Reading:
    """A file as read and cut."""

    key: ContentKey
    document: Document
    chunks: tuple[Chunk, ...]


def pending_ids(connection: Connection, source_id: int) -> list[int]:
    """The ids of the source's pending documents, in the order of their paths."""
    rows = connection.execute(query("pending_ids"), {"source": source_id}).fetchall()
    return [document_id for (document_id,) in rows]


def pending_documents(connection: Connection, document_ids: Sequence[int]) -> list[Pending]:
    """Those of the documents that still wait to be read."""
    with connection.cursor(row_factory=class_row(Pending)) as cursor:
        return cursor.execute(
            query("pending_documents"), {"documents": list(document_ids)}
        ).fetchall()


def known_contents(
    connection: Connection, source_id: int, keys: Collection[ContentKey]
) -> dict[ContentKey, int]:
    """The content ids of those keys that the source's collection has read."""
    sha256s, formats, recipes = zip(*keys, strict=True) if keys else ((), (), ())
    parameters = {
        "source": source_id,
        "sha256s": list(sha256s),
        "formats": list(formats),
        "recipes": list(recipes),
    }
    rows = connection.execute(query("known_contents"), parameters).fetchall()
    return {ContentKey(bytes(sha256), format, recipe): id for id, sha256, format, recipe in rows}


def store(connection: Connection, source_id: int, readings: Sequence[Reading]) -> None:
    """Store contents with their chunks and passages, each once, within the transaction."""
    with connection.cursor() as cursor:
        cursor.execute(query("store_prepare"))
        _copy_contents(cursor.connection, readings)
        for step in ("contents", "passages", "chunks"):
            cursor.execute(query(f"store_{step}"), {"source": source_id})


def _copy_contents(connection: Connection, readings: Sequence[Reading]) -> None:
    with connection.cursor() as cursor:
        with cursor.copy(
            "copy read_contents (reading, sha256, format, recipe, title, text, metadata, chunks)"
            " from stdin"
        ) as copy:
            for number, reading in enumerate(readings):
                document = reading.document
                copy.write_row(
                    (
                        number,
                        *reading.key,
                        document.title,
                        document.text,
                        Jsonb(dict(document.metadata)),
                        len(reading.chunks),
                    )
                )
        with cursor.copy(
            "copy read_chunks (reading, ordinal, sha256, title, section, context, body, tokens,"
            " first_page, last_page, starts_at, ends_at) from stdin"
        ) as copy:
            for number, reading in enumerate(readings):
                for chunk in reading.chunks:
                    copy.write_row(
                        (
                            number,
                            chunk.ordinal,
                            chunk.sha256,
                            chunk.title or None,
                            " > ".join(chunk.section) or None,
                            chunk.context,
                            chunk.body,
                            chunk.tokens,
                            chunk.first_page,
                            chunk.last_page,
                            chunk.start,
                            chunk.end,
                        )
                    )
