"""Rows that go behind the book's back are noticed, and mended at the least cost."""

from __future__ import annotations

import pytest

from flows.maintain import maintain, verify_book
from tasks.upkeep.verify import verify
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)


@pytest.fixture
def filled(book: Book) -> Book:
    book.write("tides.md", TIDES)
    book.write("peat.txt", "Peat forms where plants rot in water.\n")
    book.ingest()
    return book


def damage(book: Book, statement: str) -> None:
    with book.connect() as connection:
        connection.execute(statement)


def findings(book: Book) -> list[str]:
    with book.connect() as connection:
        return [finding.check for finding in verify(connection)]


def test_a_sound_book_has_nothing_to_tell(filled: Book) -> None:
    assert findings(filled) == []


@pytest.mark.parametrize(
    ("statement", "found", "bought"),
    [
        ("delete from chunks where ordinal = 1", "chunks", 0),
        ("update passages set uses = 7 where body like 'The trade%'", "uses", 0),
        ("update versions set valid_to = now() where document_id = 1", "versions", 0),
        (
            "delete from embeddings where sha256 in (select sha256 from passages limit 1)",
            "vectors",
            1,
        ),
    ],
)
def test_what_was_lost_is_found_and_mended_and_only_gone_vectors_are_bought(
    filled: Book, statement: str, found: str, bought: int
) -> None:
    damage(filled, statement)
    assert found in findings(filled)
    with filled.connect() as connection:
        (before,) = connection.execute("select count(*) from embeddings").fetchone() or (0,)
    verify_book(mend=True)
    assert findings(filled) == []
    with filled.connect() as connection:
        (after,) = connection.execute("select count(*) from embeddings").fetchone() or (0,)
    assert after - before == bought
    assert filled.search("trade wind", mode="keyword")[0].path == "tides.md"


def test_maintenance_mends_and_leaves_what_is_current_alone(filled: Book) -> None:
    damage(filled, "delete from chunks where ordinal = 1")
    report = maintain()
    assert report["findings"] == ["1 documents lost chunks", "1 passages are counted wrongly"]
    assert findings(filled) == []
