"""The past can be searched for as long as it is kept, and no longer."""

from __future__ import annotations

import shutil
from datetime import datetime

from flows.maintain import maintain
from tasks.upkeep.forget import forget
from tests.book import Book

PAGE = "# Peat\n\nPeat forms where {} rot in water.\n"


def now(book: Book) -> datetime:
    with book.connect() as connection:
        (moment,) = connection.execute("select clock_timestamp()").fetchone() or ()
    assert isinstance(moment, datetime)
    return moment


def texts(book: Book, moment: datetime) -> set[str]:
    """What a search found at that moment."""
    with book.connect() as connection:
        rows = connection.execute(
            "select text from search('peat', mode => 'keyword', as_of => %s)", [moment]
        ).fetchall()
    return {text for (text,) in rows}


def grow_older(book: Book, days: int) -> None:
    """Let everything have happened so many days earlier."""
    with book.connect() as connection:
        for table, columns in {
            "versions": ("valid_from", "valid_to"),
            "contents": ("created_at",),
            "documents": ("checked_at",),
            "query_embeddings": ("asked_at",),
        }.items():
            moved = ", ".join(f"{one} = {one} - interval '{days} days'" for one in columns)
            connection.execute(f"update {table} set {moved}")


def test_what_readers_saw_is_found_as_of_then_until_its_retention_is_over(book: Book) -> None:
    book.write("peat.md", PAGE.format("plants"))
    book.ingest()
    then = now(book)
    book.write("peat.md", PAGE.format("mosses"))
    book.ingest()
    old, new = {"Peat forms where plants rot in water."}, {"Peat forms where mosses rot in water."}
    assert (texts(book, then), texts(book, now(book))) == (old, new)
    assert maintain()["removed"]["versions"] == 0
    assert texts(book, then) == old
    grow_older(book, days=91)
    assert maintain()["removed"]["versions"] == 1
    with book.connect() as connection:
        bodies = connection.execute("select body from passages").fetchall()
    assert bodies == [(text,) for text in new]
    assert texts(book, now(book)) == new


def test_a_deleted_document_is_past_history_and_then_gone_for_good(book: Book) -> None:
    path = book.write("peat.md", PAGE.format("plants"))
    book.write("moss.md", "# Moss\n\nMoss drinks fog.\n")
    book.ingest()
    then = now(book)
    path.unlink()
    book.ingest()
    book.search("peat bog")
    assert texts(book, then)
    assert texts(book, now(book)) == set()
    grow_older(book, days=91)
    removed = maintain()["removed"]
    assert (removed["versions"], removed["documents"], removed["queries"]) == (1, 1, 1)
    with book.connect() as connection:
        assert connection.execute("select path from documents").fetchall() == [("moss.md",)]


def test_a_forgotten_document_has_no_past(book: Book) -> None:
    path = book.write("peat.md", PAGE.format("plants"))
    shutil.copy(path, book.drop / "copy.md")
    book.ingest()
    then = now(book)
    with book.connect() as connection:
        forget(connection, "peat.md")
    assert texts(book, then), "the copy had it too"
    with book.connect() as connection:
        forget(connection, "copy.md")
    assert texts(book, then) == set()
