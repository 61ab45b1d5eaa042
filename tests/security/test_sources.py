"""Readers come from the source and its sidecar files; to change them, nothing is read anew."""

from __future__ import annotations

import re

import pytest
from psycopg import Connection

from tasks.errors import Fatal
from tasks.retrieve.search import search
from tests.book import Book


def readers(book: Book) -> dict[str, list[str]]:
    with book.connect() as connection:
        return dict(connection.execute("select path, readers from documents").fetchall())


def visible(book: Book, *principals: str) -> set[str]:
    hits = search("moss", principals=principals, settings=book.settings)
    return {hit.text for hit in hits}


def test_a_source_and_its_sidecars_say_who_reads(book: Book) -> None:
    book.write("a.md", "moss for all")
    book.write("hr/b.md", "moss for some")
    book.ingest()
    assert readers(book) == {"a.md": [], "hr/b.md": []}
    assert visible(book, "ana") == set()

    book.write("hr/.openbook.yaml", "readers: [group:hr]")
    report = book.ingest(readers=["public"])
    assert (report["embedded"], report["unchanged"]) == (0, 2)
    assert readers(book) == {"a.md": ["public"], "hr/b.md": ["group:hr"]}
    assert visible(book, "ana") == {"moss for all"}
    assert visible(book, "group:hr") == {"moss for all", "moss for some"}

    before = book.row_versions()
    book.ingest()
    assert book.row_versions() == before


def test_a_broken_sidecar_stops_the_run_and_changes_nothing(book: Book) -> None:
    book.write("a.md", "old moss")
    book.ingest(readers=["public"])
    before = book.row_versions()
    book.write("a.md", "new moss")
    file = book.write(".openbook.yaml", "readers: [group: hr]")
    with pytest.raises(Fatal, match=re.escape(f"{file}, line 1: the name of a user or group")):
        book.ingest()
    assert book.row_versions() == before
    assert visible(book) == {"old moss"}


def test_who_may_read_the_new_content_alone_never_sees_the_old_one(book: Book) -> None:
    book.write("a.txt", "secret moss")
    book.write(".openbook.yaml", "readers: [ana, ben]")
    book.ingest()
    book.write(".openbook.yaml", "readers: [public, ana]")
    book.write("a.txt", b"")
    assert len(book.ingest()["rejected"]) == 1
    assert visible(book) == visible(book, "ben") == set()
    assert visible(book, "ana") == {"secret moss"}

    book.write("a.txt", "redacted moss")
    book.ingest()
    assert visible(book) == {"redacted moss"}
    with book.connect() as connection:
        (then,) = connection.execute("select min(valid_from) from versions").fetchone() or (None,)
        assert _past(connection, "ana", then) == {"secret moss"}
        assert _past(connection, "ben", then) == _past(connection, "cleo", then) == set()


def _past(connection: Connection, principal: str, moment: object) -> set[str]:
    with connection.transaction():
        connection.execute("select openbook.act_for(array[%s])", [principal])
        rows = connection.execute(
            "select text from openbook.search('moss', mode => 'keyword', as_of => %s)", [moment]
        ).fetchall()
    return {text for (text,) in rows}
