"""Rows that go behind the book's back are noticed, and mended at the least cost."""

from __future__ import annotations

import os
from contextlib import closing

import pytest

from flows.differences import differences
from flows.maintain import maintain, mend, verify_book
from tasks.database import connect
from tasks.upkeep.verify import verify
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)
ZEROS = "('[' || repeat('0,', 255) || '0]')::halfvec"


@pytest.fixture
def filled(book: Book) -> Book:
    book.write("tides.md", TIDES)
    book.write("peat.txt", "Peat forms where plants rot in water.\n")
    book.ingest()
    with book.connect() as connection:
        connection.execute("select openbook.seal_blocks(1)")
    return book


def damage(book: Book, *statements: str) -> None:
    with book.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def findings(book: Book) -> list[str]:
    with book.connect() as connection:
        return [finding.check for finding in verify(connection)]


def bought(book: Book) -> set[int]:
    """The place of each vector: one that is bought again has another."""
    with book.connect() as connection:
        rows = connection.execute("select sha256, xmin::text from embeddings").fetchall()
    return {hash(row) for row in rows}


def test_a_sound_book_has_nothing_to_tell(filled: Book) -> None:
    assert findings(filled) == []


@pytest.mark.parametrize(
    ("statement", "found", "price"),
    [
        ("delete from chunks where ordinal = 1", "chunks", 0),
        ("update passages set uses = 7 where body like 'The trade%'", "uses", 0),
        ("update passages set uses = 0 where body like 'The trade%'", "uses", 0),
        ("update versions set valid_to = now() where document_id = 1", "versions", 0),
        (
            "delete from embeddings where sha256 in (select sha256 from passages limit 1)",
            "vectors",
            1,
        ),
        (
            f"update embeddings set embedding = {ZEROS}"
            " where sha256 in (select sha256 from passages limit 1)",
            "vectors",
            1,
        ),
    ],
)
def test_what_was_lost_is_found_and_mended_and_only_gone_vectors_are_bought(
    filled: Book, statement: str, found: str, price: int
) -> None:
    before = bought(filled)
    damage(filled, statement)
    assert found in findings(filled)
    mended, failures = verify_book()
    assert found in [finding.check for finding in mended]
    assert failures == []
    assert findings(filled) == []
    assert len(bought(filled) - before) == price
    hits = filled.search("trade wind", mode="keyword")
    assert [hit.path for hit in hits] == ["tides.md"]
    assert filled.search("spring tide", mode="dense")[0].path == "tides.md"


def test_the_keyword_index_is_mended_where_it_is_untrue(filled: Book) -> None:
    for statement, found in {
        "delete from bm25_slots where slot = 1": "keywords",
        "insert into bm25_pending select 1, min(id) from passages": "keywords",
        "insert into bm25_pending values (1, 4711)": "keywords",
        "delete from bm25_postings where lexeme = 'trade'": "blocks",
        "update bm25_postings set weights = '{1:1}/3' where lexeme = 'trade'": "blocks",
        "update bm25_postings set peak = 0 where lexeme = 'trade'": "blocks",
        "update bm25_blocks set live_length = live_length + 1": "blocks",
        "delete from bm25_blocks": "blocks",
    }.items():
        damage(filled, statement)
        with closing(connect(filled.settings, autocommit=True)) as connection:
            differing = verify(connection)
            assert found in [finding.check for finding in differing], statement
            assert mend(connection, differing) == (differing, [])
            connection.execute("select openbook.seal_blocks(1)")
        assert findings(filled) == [], statement
        (hit,) = filled.search("trade wind", mode="keyword")
        assert hit.path == "tides.md", statement


def test_a_vector_index_that_does_not_find_what_is_there_is_built_anew(filled: Book) -> None:
    off_and_on = (
        "update pg_index set indisready = {} where indexrelid = 'embeddings_1_hnsw'::regclass"
    )
    damage(filled, "select openbook.index_embeddings(1, 1)")
    assert findings(filled) == []
    damage(filled, off_and_on.format("false"))
    assert findings(filled) == ["index"]
    filled.write("moss.txt", "Moss drinks fog.\n")
    filled.ingest()
    damage(filled, off_and_on.format("true"))
    assert findings(filled) == ["index"]
    verify_book()
    assert findings(filled) == []


def test_a_file_whose_bytes_changed_while_its_times_did_not_is_found_and_read(
    filled: Book,
) -> None:
    path = filled.drop / "peat.txt"
    path.write_text(path.read_text().replace("rot", "lie"))
    with filled.connect() as connection:
        status = path.stat()
        connection.execute(
            "update documents set mtime_ns = %s, ctime_ns = %s where path = 'peat.txt'",
            [status.st_mtime_ns, status.st_ctime_ns],
        )
    assert filled.ingest()["unchanged"] == 2, "a scan cannot know"
    with filled.connect() as connection:
        (found,) = differences(connection, filled.settings)
    assert (found.check, found.examples) == ("files", (str(path),))
    mended, _ = verify_book()
    assert [finding.check for finding in mended] == ["files"]
    assert filled.search("plants lie", mode="keyword", k=1)[0].text.startswith("Peat forms where")
    with filled.connect() as connection:
        assert differences(connection, filled.settings) == []


def test_comparing_files_names_what_was_added_deleted_and_moved_and_changes_nothing(
    filled: Book,
) -> None:
    filled.write("moss.txt", "Moss drinks fog.\n")
    (filled.drop / "peat.txt").rename(filled.drop / "turf.txt")
    before = filled.row_versions()
    with filled.connect() as connection:
        (found,) = differences(connection, filled.settings)
    assert [os.path.basename(name) for name in found.examples] == ["moss.txt", "turf.txt"]
    assert filled.row_versions() == before


def test_a_folder_that_is_gone_does_not_keep_the_rest_from_being_mended(filled: Book) -> None:
    damage(filled, "delete from chunks where ordinal = 1", "delete from bm25_slots where slot = 1")
    filled.drop.rename(filled.drop.with_name("aside"))
    _, failures = verify_book()
    assert "is not a folder" in failures[0]
    assert findings(filled) == ["chunks"]
    filled.drop.with_name("aside").rename(filled.drop)
    verify_book()
    assert findings(filled) == []


def test_maintenance_mends_and_leaves_what_is_current_alone(filled: Book) -> None:
    damage(filled, "delete from chunks where ordinal = 1")
    report = maintain()
    assert report["mended"] == {"documents lost chunks": 1, "passages are counted wrongly": 1}
    assert report["failed"] == []
    assert findings(filled) == []
