"""What callers may read of the book: searches, collections, documents, as each of them sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event
from typing import Any, TypedDict, TypeVar, Unpack

from psycopg import Connection
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import class_row

from tasks.database import Pool, query
from tasks.errors import Rejected
from tasks.records import Answer, Explanation, Hit
from tasks.serve.access import Access
from tasks.serve.errors import Refusal
from tasks.settings import Settings

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What the library asks of the stage that searches: the functions of these names there."""

    search: Callable[..., list[Hit]]
    why: Callable[..., Explanation]
    act_for: Callable[[Connection, Sequence[str]], None]


@dataclass(frozen=True, slots=True)
class Answering:
    """What the library asks of who answers: the functions of these names in flows/ask.py."""

    prepare: Callable[..., Any]
    write: Callable[..., Answer]
    log: Callable[..., Answer]


class Asked(TypedDict, total=False):
    """The parameters of a search, as `tasks.retrieve.search.search` describes them."""

    k: int
    mode: str
    filter: Mapping[str, Any] | None
    predicate: str | None
    as_of: datetime | None
    per_document: bool
    skip: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chunk stands: it is looked for in this document of this collection alone."""

    collection: str
    document_id: int
    chunk_id: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection, and its documents by what became of them."""

    name: str
    created_at: int
    completed: int
    failed: int
    in_progress: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Document:
    """A document as a caller sees it; `created_at` is when its current version was published."""

    id: int
    source: str
    path: str
    root: str
    format: str | None
    title: str | None
    metadata: Mapping[str, Any]
    bytes: int
    created_at: int
    status: str
    reason: str | None
    remedy: str | None


@dataclass(frozen=True, slots=True)
class Text:
    """A part of a document's text, and how many characters there are in all."""

    text: str
    characters: int


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk where it stands in its document: `ordinal` counts from 0."""

    chunk_id: int
    ordinal: int
    section: str | None
    page: int | None
    text: str


class Library:
    """Reads the book for callers; every method says for whom, and is safe to call from threads.

    A collection that a caller may not use does not exist for it: both raise the same Refusal, 404.
    """

    def __init__(
        self,
        settings: Settings,
        retrieval: Retrieval,
        pool: Pool,
        answering: Answering | None = None,
    ) -> None:
        self._settings = settings
        self._retrieval = retrieval
        self._pool = pool
        self._answering = answering

    def search(
        self, access: Access, text: str, *, collection: str, **asked: Unpack[Asked]
    ) -> list[Hit]:
        """The best hits for a query, best first."""
        _require(access, collection)
        try:
            return self._pool.run(
                lambda connection: self._retrieval.search(
                    text,
                    collection=collection,
                    principals=access.principals,
                    settings=self._settings,
                    connection=connection,
                    **asked,
                )
            )
        except Rejected:
            self.collection(access, collection)  # that it does not exist is another answer
            raise

    def why(
        self, access: Access, text: str, *, place: Place, **asked: Unpack[Asked]
    ) -> Explanation:
        """Why the chunk at that place is a hit of such a search, or why it is none."""
        self.passages(access, place, reach=0)
        return self._pool.run(
            lambda connection: self._retrieval.why(
                connection,
                text,
                place.chunk_id,
                principals=access.principals,
                settings=self._settings,
                **asked,
            )
        )

    def vitals(self) -> list[tuple[str, dict[str, str], float]] | None:
        """The figures of analytics.vitals; None where the server's login may not read them."""
        try:
            return self._pool.run(lambda connection: connection.execute(query("vitals")).fetchall())
        except InsufficientPrivilege:
            return None

    def collections(self, access: Access, name: str | None = None) -> list[Collection]:
        """The collections that the caller may use, by name; or that one, if it is among them."""
        names: list[str] | None
        if name is not None:
            names = [name] if _may_use(access, name) else []
        else:
            names = None if access.collections is None else list(access.collections)
        return self._rows(access, Collection, "serve_collections", {"collections": names})

    def collection(self, access: Access, name: str) -> Collection:
        """One collection."""
        found = self.collections(access, name)
        if not found:
            raise NoCollection(name)
        return found[0]

    def documents(
        self,
        access: Access,
        collection: str,
        *,
        ids: Sequence[int] | None = None,
        after: int | None = None,
        status: str | None = None,
        descending: bool = False,
        limit: int = 100,
    ) -> list[Document]:
        """Documents of the collection by id: those with the `ids`, or `limit` behind `after`.

        With a `status`, only those that have it.
        """
        self.collection(access, collection)
        asked = {
            "collection": collection,
            "ids": None if ids is None else list(ids),
            "after": after,
            "status": status,
            "descending": descending,
            "limit": limit,
        }
        return self._rows(access, Document, "serve_documents", asked)

    def document(self, access: Access, collection: str, document_id: int) -> Document:
        """One document."""
        found = self.documents(access, collection, ids=[document_id])
        if not found:
            raise no_document(document_id)
        return found[0]

    def text(
        self, access: Access, collection: str, document_id: int, start: int, length: int
    ) -> Text:
        """So many characters of a document's current text, from the character `start`, from 0."""
        _require(access, collection)
        asked = {"collection": collection, "id": document_id, "start": start, "length": length}
        found = self._rows(access, Text, "serve_text", asked)
        if not found:
            raise no_document(document_id)
        return found[0]

    def passages(self, access: Access, place: Place, reach: int) -> list[Passage]:
        """A chunk of a document's current version, with up to `reach` before and behind it."""
        _require(access, place.collection)
        asked = {
            "collection": place.collection,
            "id": place.document_id,
            "chunk": place.chunk_id,
            "reach": reach,
        }
        found = self._rows(access, Passage, "serve_passages", asked)
        if not found:
            raise Refusal(
                404,
                f"there is no chunk {place.chunk_id} in a document {place.document_id} here",
                "The document may have changed since: search again.",
                code="not_found",
            )
        return found

    def prepare_answer(
        self, access: Access, question: str, *, collection: str, **asked: Any
    ) -> Any:
        """Find what the question is to be answered from; for `write_answer`."""
        _require(access, collection)
        answering = self._answering
        assert answering is not None
        try:
            return self._pool.run(
                lambda connection: answering.prepare(
                    question,
                    collection=collection,
                    principals=access.principals,
                    asker=access.name,
                    settings=self._settings,
                    connection=connection,
                    **asked,
                )
            )
        except Rejected:
            self.collection(access, collection)
            raise

    def write_answer(
        self,
        access: Access,
        prepared: Any,
        *,
        collection: str,
        conversation: str | None,
        hear: Callable[[str], None],
        stop: Event,
    ) -> Answer:
        """Let the model answer, which may take a while without a connection, and log the answer."""
        answering = self._answering
        assert answering is not None
        found = answering.write(prepared, self._settings, hear, stop)
        return self._pool.run(
            lambda connection: answering.log(
                found,
                collection=collection,
                conversation=conversation,
                asker=access.name,
                settings=self._settings,
                connection=connection,
            )
        )

    def _rows(
        self, access: Access, kind: type[Row], name: str, values: Mapping[str, Any]
    ) -> list[Row]:
        def read(connection: Connection) -> list[Row]:
            with connection.transaction(), connection.cursor(row_factory=class_row(kind)) as cursor:
                if access.principals is not None:
                    self._retrieval.act_for(connection, access.principals)
                return cursor.execute(query(name), values).fetchall()

        return self._pool.run(read)


class NoCollection(Refusal):
    """The answer for a collection that does not exist, or not for the caller."""

    def __init__(self, name: str) -> None:
        super().__init__(
            404,
            f"there is no vector store or collection {name!r}",
            "GET /v1/vector_stores lists those that this token may use.",
            code="not_found",
        )
        self.name = name


def no_document(document_id: int) -> Refusal:
    """The answer for a document that does not exist, or not for the caller."""
    return Refusal(404, f"there is no document {document_id} here", code="not_found")


def _require(access: Access, collection: str) -> None:
    if not _may_use(access, collection):
        raise NoCollection(collection)


def _may_use(access: Access, collection: str) -> bool:
    named = access.collections is None or collection in access.collections
    return named and "\0" not in collection  # which no name in the database can hold
