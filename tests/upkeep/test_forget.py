"""Forgetting removes everything of a document and nothing of the others; sweeping goes by age."""

from __future__ import annotations

import shutil
from datetime import timedelta

import pytest

from tasks.errors import Fatal
from tasks.upkeep.forget import forget
from tasks.upkeep.sweep import sweep
from tests.book import Book

TIDES = (
    "# Tides\n\nThe spring tide follows the new moon.\n\n# Wind\n\nThe trade wind blows steady.\n"
)
NOW = timedelta(0)


def rows(book: Book) -> dict[str, int]:
    """How many rows each table of the documents holds."""
    tables = ("documents", "versions", "contents", "chunks", "passages", "embeddings")
    with book.connect() as connection:
        counts = [
            connection.execute(f"select count(*) from {table}").fetchone() for table in tables
        ]
    return {table: count[0] for table, count in zip(tables, counts, strict=True) if count}


def test_a_forgotten_document_leaves_nothing_behind(book: Book) -> None:
    book.write("peat.txt", "Peat forms where plants rot in water.\n")
    book.ingest()
    alone = rows(book)
    book.write("tides.md", TIDES)
    book.ingest()
    book.write("tides.md", TIDES.replace("steady", "hard"))
    book.ingest()
    with book.connect() as connection:
        removal = forget(connection, "tides.md")
    assert (removal.documents, removal.versions, removal.passages) == (1, 2, 3)
    assert rows(book) == alone
    assert book.search("spring tide", mode="keyword") == []


def test_what_models_answered_from_a_forgotten_document_goes_with_it(book: Book) -> None:
    book.write("tides.md", "# Tides\n\nThe spring tide follows the new moon.\n")
    book.write("wind.md", "# Wind\n\nThe trade wind blows steady.\n")
    book.ingest()
    with book.connect() as connection:
        connection.execute(
            "with e as (insert into answer_evaluations"
            " (name, purpose, model, collection, strategy, questions)"
            " values ('coast', 'task', 'small', 'default', 'rag', 2) returning id),"
            " r as (insert into answer_results (answer_evaluation_id, item, answer, chunk_ids)"
            "       select e.id, d.path, p.body, array[c.id] from e, documents d"
            "       join versions v on v.id = d.version_id"
            "       join chunks c on c.content_id = v.content_id"
            "       join passages p on p.id = c.passage_id returning *)"
            " insert into answer_scores (answer_evaluation_id, item, measure, value, detail)"
            " select r.answer_evaluation_id, r.item, 'correct', 0, r.answer from r"
        )
        forget(connection, "tides.md")
        kept = connection.execute(
            "select item, r.answer is not null, s.detail is not null, s.value"
            " from answer_results r join answer_scores s using (answer_evaluation_id, item)"
            " order by item"
        ).fetchall()
    assert kept == [("tides.md", False, False, 0), ("wind.md", True, True, 0)]


def test_what_another_document_uses_stays(book: Book) -> None:
    path = book.write("tides.md", TIDES)
    shutil.copy(path, book.drop / "copy.md")
    book.ingest()
    with book.connect() as connection:
        removal = forget(connection, str(path))
    assert (removal.documents, removal.contents, removal.embeddings) == (1, 0, 0)
    assert {hit.path for hit in book.search("spring tide", mode="keyword")} == {"copy.md"}


def test_a_folder_is_forgotten_with_everything_below_it(book: Book) -> None:
    book.write("sea/tides.md", TIDES)
    book.write("seaside.md", "# Pier\n\nThe pier is closed in winter.\n")
    book.ingest()
    with book.connect() as connection:
        assert forget(connection, "sea").documents == 1
    assert [hit.path for hit in book.search("pier", mode="keyword")] == ["seaside.md"]


def test_an_unknown_path_is_an_error(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    with book.connect() as connection, pytest.raises(Fatal, match=r"No document has the path"):
        forget(connection, "tide")


def test_a_sweep_removes_versions_past_their_retention_and_nothing_current(book: Book) -> None:
    book.write("tides.md", TIDES)
    book.ingest()
    fresh = rows(book)
    book.write("tides.md", TIDES.replace("steady", "hard"))
    book.ingest()
    with book.connect() as connection:
        kept = sweep(connection, retention=timedelta(days=90), grace=NOW)
        assert (kept.versions, kept.contents) == (0, 0)
        gone = sweep(connection, retention=NOW, grace=NOW)
    assert (gone.versions, gone.contents, gone.passages, gone.embeddings) == (1, 1, 1, 1)
    assert rows(book) == fresh
    assert book.ingest()["unchanged"] == 1
