"""Search from Python: the embedder is loaded when it must be, and never otherwise."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest

from tasks.errors import Fatal, Rejected
from tasks.records import Hit
from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf


@pytest.fixture
def mossy(shelf: Shelf) -> Shelf:
    shelf.put("a.txt", "moss grows on stone")
    shelf.put("b.txt", "kelp grows in the sea")
    shelf.embed()
    return shelf


def stored_queries(shelf: Shelf) -> list[str]:
    return [q for (q,) in shelf.connection.execute("select query from query_embeddings")]


def test_hits_are_found_by_words_and_by_meaning(mossy: Shelf, database: Settings) -> None:
    hit, other = search("moss", settings=database)
    assert isinstance(hit, Hit)
    assert (hit.rank, hit.path, hit.text) == (1, "a.txt", "moss grows on stone")
    assert (hit.keyword_rank, hit.dense_rank) == (1, 1)
    assert (other.keyword_rank, other.dense_rank) == (None, 2)


def test_a_query_is_remembered_so_that_sql_knows_it_too(mossy: Shelf, database: Settings) -> None:
    search("kelp", settings=database)
    assert stored_queries(mossy) == ["kelp"]
    assert mossy.search("kelp")[0]["dense_rank"] == 1


@pytest.mark.parametrize(("query", "mode"), [("kelp", "hybrid"), ("moss", "keyword")])
def test_the_embedder_stays_out_when_it_is_not_needed(
    mossy: Shelf, database: Settings, query: str, mode: str
) -> None:
    """A known query, or keywords alone, in a fresh process."""
    search("kelp", settings=database)
    program = f"""
        import sys
        from pathlib import Path
        from tasks.retrieve.search import search
        from tasks.settings import Settings
        settings = Settings(
            home=Path("/nonexistent"), database_url={database.database_url!r}, embedder="minilm")
        assert search({query!r}, mode={mode!r}, settings=settings)
        heavy = {{"prefect", "unstructured", "openai", "pandas", "onnxruntime", "tokenizers"}}
        print(*heavy & {{name.partition(".")[0] for name in sys.modules}})
    """
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert child.stdout.strip() == ""


def test_another_embedder_than_the_serving_one_is_refused(mossy: Shelf, database: Settings) -> None:
    mossy.connection.execute("update models set name = 'of-long-ago'")
    with pytest.raises(Fatal, match=r"uses the model of-long-ago.*hashing-256.*OPENBOOK_EMBEDDER"):
        search("moss", settings=database)
    assert search("moss", mode="keyword", settings=database)


def test_a_reader_without_the_right_to_write_searches_all_the_same(
    mossy: Shelf, database: Settings
) -> None:
    with mossy.connection.transaction():
        mossy.connection.execute("set transaction read only")
        assert search("moss", settings=database, connection=mossy.connection)[0].dense_rank == 1
        assert mossy.connection.execute("select 1").fetchone() == (1,)
    assert stored_queries(mossy) == []


def test_an_empty_book_has_no_hits(database: Settings) -> None:
    for mode in ("hybrid", "dense", "keyword"):
        assert search("anything", mode=mode, settings=database) == []


@pytest.mark.parametrize("query", ["a\0b", "\ud800", "the", "'; --", "x" * 100_000])
def test_any_query_has_an_answer(mossy: Shelf, database: Settings, query: str) -> None:
    assert len(search(query, settings=database)) == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"mode": "fuzzy"}, "no mode"),
        ({"k": 0}, "k is 0"),
        ({"k": 10**12}, "out of range"),
        ({"collection": "attic"}, "no collection"),
        ({"filter": {"a": {"is": 1}}}, "is no operator"),
        ({"filter": {"a": float("nan")}}, "Leave out NUL"),
        ({"filter": {"a": float("inf")}}, "Leave out NUL"),
        ({"filter": {"a\0": 1}}, "Leave out NUL"),
        ({"filter": {"a": "\ud800"}}, "Leave out NUL"),
        ({"as_of": datetime.now(UTC) + timedelta(hours=1)}, "still to come"),
    ],
)
def test_what_cannot_be_searched_is_rejected(
    database: Settings, options: dict[str, object], complaint: str
) -> None:
    with pytest.raises(Rejected, match=complaint):
        search("moss", settings=database, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("query", ["", " \t", "\0", "path:moss.txt", '-"old moss"'])
@pytest.mark.parametrize("mode", ["hybrid", "dense", "keyword"])
def test_a_query_without_words_is_rejected_and_not_embedded(
    mossy: Shelf, database: Settings, query: str, mode: str
) -> None:
    with pytest.raises(Rejected, match="no words"):
        search(query, mode=mode, settings=database)
    assert stored_queries(mossy) == []
