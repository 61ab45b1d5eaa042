"""Documents put straight into the database, so that a test says exactly what there is to find."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import pytest
from pgvector import HalfVector
from psycopg import Connection
from psycopg.types.json import Jsonb

from tasks.database import connect
from tasks.embedders.hashing import HashingEmbedder
from tasks.records import embedded_text
from tasks.settings import Settings

_EMBEDDER = HashingEmbedder()


class Shelf:
    """A collection's documents, each a list of chunk bodies; every call is one transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def put(
        self,
        path: str,
        *bodies: str,
        source: str = "shelf",
        collection: str = "default",
        language: str = "english",
        title: str | None = None,
        format: str = "txt",
        metadata: Mapping[str, Any] | None = None,
        readers: Sequence[str] = (),
    ) -> int:
        """Make the bodies the document's current content; its id."""
        with self.connection.transaction():
            source_id = self._source(source, collection, language)
            content_id = self._content(
                source_id, bodies, title=title, format=format, metadata=metadata or {}
            )
            document_id = self._one(
                "insert into documents (source_id, path) values (%s, %s)"
                " on conflict (source_id, path) do update set path = excluded.path returning id",
                source_id,
                path,
            )
            self._close(document_id)
            version_id = self._one(
                "insert into versions (document_id, content_id, run_id, valid_from)"
                " values (%s, %s, (select min(id) from runs), clock_timestamp()) returning id",
                document_id,
                content_id,
            )
            self.connection.execute(
                "update documents set version_id = %s, status = 'current', readers = %s"
                " where id = %s",
                [version_id, list(readers), document_id],
            )
        return document_id

    def remove(self, path: str, source: str = "shelf") -> None:
        """Take a document out; its history stays."""
        with self.connection.transaction():
            document_id = self._one(
                "update documents set version_id = null, status = 'deleted'"
                " where path = %s and source_id = (select id from sources where name = %s)"
                " returning id",
                path,
                source,
            )
            self._close(document_id)

    def forget(self, path: str, source: str = "shelf") -> None:
        """Delete a document with its history."""
        self.connection.execute(
            "select openbook.forget(array(select d.id from documents d"
            " join sources s on s.id = d.source_id where d.path = %s and s.name = %s))",
            [path, source],
        )

    def embed(self) -> None:
        """Give every passage its vector under the hashing model, which then serves."""
        model = self._one(
            "select openbook.add_model(%s, %s, %s)",
            _EMBEDDER.name,
            _EMBEDDER.dimensions,
            _EMBEDDER.token_limit,
        )
        rows = self.connection.execute(
            "select distinct sha256, title, section, body from passages p where not exists"
            " (select from embeddings e where e.model_id = %s and e.sha256 = p.sha256)",
            [model],
        ).fetchall()
        texts = ["\n".join(part for part in row[1:] if part) for row in rows]
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into embeddings (model_id, sha256, embedding) values (%s, %s, %s)",
                [
                    (model, row[0], HalfVector(vector))
                    for row, vector in zip(rows, _EMBEDDER.embed(texts), strict=True)
                ],
            )

    def seal(self, minimum: int = 1) -> int:
        """Seal until nothing is left to do; how many passages that wrote."""
        total = 0
        while sealed := self._one("select openbook.seal_blocks(%s)", minimum):
            total += sealed
        return total

    def search(self, query: str, **options: Any) -> list[dict[str, Any]]:
        """The hits of `openbook.search`."""
        if isinstance(options.get("filter"), dict):
            options["filter"] = Jsonb(options["filter"])
        named = "".join(f", {name} => %({name})s" for name in options)
        cursor = self.connection.execute(
            f"select * from openbook.search(%(query)s{named})", {"query": query, **options}
        )
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor]

    def paths(self, query: str, **options: Any) -> list[str]:
        """The hits' paths, best first."""
        return [hit["path"] for hit in self.search(query, **options)]

    def current(self) -> list[str]:
        """The paths of the documents that readers see."""
        rows = self.connection.execute("select path from documents where version_id is not null")
        return [path for (path,) in rows]

    def _source(self, name: str, collection: str, language: str) -> int:
        self.connection.execute(
            "insert into collections (name) values (%s) on conflict do nothing", [collection]
        )
        source_id = self._one(
            "insert into sources (collection_id, name, root, language)"
            " select id, %s, %s, %s from collections where name = %s"
            " on conflict (name) do update set name = excluded.name returning id",
            name,
            f"/{name}",
            language,
            collection,
        )
        self.connection.execute(
            "insert into runs (source_id) select %s where not exists (select from runs)",
            [source_id],
        )
        return source_id

    def _content(
        self,
        source_id: int,
        bodies: Sequence[str],
        *,
        title: str | None,
        format: str,
        metadata: Mapping[str, Any],
    ) -> int:
        texts = [embedded_text(title, (), body) for body in bodies]
        digest = hashlib.sha256(repr((texts, sorted(metadata.items()))).encode()).digest()
        content_id = self._one(
            "insert into contents (collection_id, language, sha256, format, recipe, title, text,"
            " metadata, chunks)"
            " select collection_id, language, %s, %s, 'test', %s, '', %s, %s"
            " from sources where id = %s"
            " on conflict (collection_id, language, sha256, format, recipe)"
            " do update set title = excluded.title returning id",
            digest,
            format,
            title,
            Jsonb(dict(metadata)),
            len(bodies),
            source_id,
        )
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "insert into passages"
                " (collection_id, language, sha256, title, body, tokens, lexemes)"
                " select collection_id, language, %s, %s, %s, 1, openbook.lexemes(language, %s)"
                " from sources where id = %s on conflict do nothing",
                [
                    (hashlib.sha256(text.encode()).digest(), title, body, text, source_id)
                    for text, body in zip(texts, bodies, strict=True)
                ],
            )
            cursor.executemany(
                "insert into chunks (content_id, ordinal, passage_id, starts_at, ends_at)"
                " select n.id, %s, p.id, 0, 0 from contents n"
                " join passages p using (collection_id, language)"
                " where n.id = %s and p.sha256 = %s on conflict do nothing",
                [
                    (ordinal, content_id, hashlib.sha256(text.encode()).digest())
                    for ordinal, text in enumerate(texts)
                ],
            )
        return content_id

    def _close(self, document_id: int) -> None:
        self.connection.execute(
            "update versions set valid_to = clock_timestamp()"
            " where document_id = %s and valid_to is null",
            [document_id],
        )

    def _one(self, statement: str, *values: object) -> int:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        value: int = row[0]
        return value


@pytest.fixture
def shelf(database: Settings) -> Iterator[Shelf]:
    """An empty shelf."""
    with closing(connect(database, autocommit=True)) as connection:
        yield Shelf(connection)
