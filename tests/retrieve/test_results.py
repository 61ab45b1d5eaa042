"""Pages, one hit a document, what stands around a hit, what is like it, and why it is there."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg.errors import InvalidParameterValue

from tasks.errors import Rejected
from tasks.retrieve.near import more_like, neighbours
from tasks.retrieve.search import search
from tasks.retrieve.why import why
from tasks.settings import Settings
from tests.retrieve.conftest import Shelf
from tests.retrieve.test_bm25 import Writer
from tests.retrieve.test_sql_search import vector

MODES = ("hybrid", "dense", "keyword")


@pytest.fixture
def crowd(shelf: Shelf) -> Shelf:
    """Forty documents of one to thirty chunks, many with equal scores."""
    writer = Writer(3)
    for number in range(40):
        bodies = [writer.text(5) for _ in range(1 + number * 7 % 30)]
        shelf.put(f"{number:02}.txt", *bodies, metadata={"even": number % 2 == 0})
    shelf.embed()
    shelf.seal()
    return shelf


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("indexed", [False, True])
def test_pages_neither_skip_nor_repeat_a_hit(crowd: Shelf, mode: str, indexed: bool) -> None:
    if indexed:
        crowd.connection.execute("select openbook.index_embeddings(1, 1); set enable_seqscan = off")
    for filter in ({}, {"even": True}):
        asked: dict[str, Any] = {"mode": mode, "filter": filter, "embedding": vector("baa fea")}
        pages = [crowd.search("baa fea", k=70, skip=skip, **asked) for skip in range(0, 1000, 70)]
        hits = [hit for page in pages for hit in page]
        assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
        places = [hit["chunk_id"] for hit in hits]
        assert len(set(places)) == len(places)
        assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)
        if mode != "keyword":
            exist = crowd.connection.execute(
                "select count(*) from chunks c join contents n on n.id = c.content_id"
                " where n.metadata @> %s::jsonb",
                ['{"even": true}' if filter else "{}"],
            ).fetchone()
            assert (len(places),) == exist


@pytest.mark.parametrize("mode", MODES)
def test_the_best_chunk_of_each_document(crowd: Shelf, mode: str) -> None:
    asked: dict[str, Any] = {"mode": mode, "k": 100, "embedding": vector("baa")}
    everything = [
        hit for skip in range(0, 700, 100) for hit in crowd.search("baa", skip=skip, **asked)
    ]
    best = {hit["path"]: hit["chunk_id"] for hit in reversed(everything)}
    grouped = crowd.search("baa", per_document=True, **asked)
    assert {hit["path"]: hit["chunk_id"] for hit in grouped} == best
    assert len(grouped) == len(best) > 20
    asked["k"] = 8
    pages = [crowd.search("baa", skip=skip, per_document=True, **asked) for skip in (0, 8, 16)]
    assert [hit["rank"] for page in pages for hit in page] == list(range(1, 25))
    assert len({hit["path"] for page in pages for hit in page}) == 24


def test_every_document_is_found_however_many_chunks_are_better(shelf: Shelf) -> None:
    shelf.put("long.txt", *(f"moss moss {number}" for number in range(1500)))
    for number in range(3):
        shelf.put(f"{number}.txt", f"stone moss among {'many ' * 9}words {number}")
    shelf.embed()
    for mode in MODES:
        hits = shelf.search("moss", mode=mode, k=4, per_document=True, embedding=vector("moss"))
        assert hits[0]["path"] == "long.txt"
        assert {hit["path"] for hit in hits} == {"long.txt", "0.txt", "1.txt", "2.txt"}


def test_neighbours_are_the_chunks_before_and_after(shelf: Shelf) -> None:
    shelf.put("a.txt", "one", "two", "three", "four")
    shelf.put("b.txt", "five")
    (hit,) = shelf.search("two", mode="keyword")
    near = neighbours(shelf.connection, hit["chunk_id"], before=5, after=1)
    assert [(each.distance, each.text) for each in near] == [(-1, "one"), (1, "three")]
    assert neighbours(shelf.connection, 10**9) == []


def test_what_is_like_a_chunk_is_found_without_the_chunk(shelf: Shelf) -> None:
    shelf.put("tides.txt", "spring tides follow the full moon", "cakes need flour")
    shelf.put("copy.txt", "spring tides follow the full moon")
    shelf.put("moon.txt", "the full moon makes tides")
    shelf.put("other.txt", "a bridge of stone")
    shelf.put("elsewhere.txt", "full moon tides", source="s", collection="second")
    for embedded in (False, True):
        if embedded:
            shelf.embed()
        (chunk, *_) = (h["chunk_id"] for h in shelf.search("spring", mode="keyword"))
        found = more_like(shelf.connection, chunk)
        assert found[0].path == "moon.txt"
        assert not {"tides.txt", "copy.txt"} & {hit.path for hit in found[:1]}
        assert "elsewhere.txt" not in {hit.path for hit in found}
        assert chunk not in {hit.chunk_id for hit in found}
    only = more_like(shelf.connection, chunk, predicate="path = 'other.txt'")
    assert [hit.path for hit in only] == ["other.txt"]
    with pytest.raises(Rejected, match="no chunk 1000000000"):
        more_like(shelf.connection, 10**9)


@pytest.fixture
def mossy(shelf: Shelf) -> Shelf:
    shelf.put("a.txt", "Moss grows on wet stone", metadata={"year": 2024})
    shelf.put("b.txt", "kelp grows in the sea")
    shelf.embed()
    return shelf


def chunk_of(shelf: Shelf, path: str) -> int:
    row = shelf.connection.execute(
        "select c.id from chunks c join versions v using (content_id)"
        " join documents d on d.id = v.document_id where d.path = %s order by c.id limit 1",
        [path],
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_a_hit_is_explained_by_its_places_and_its_words(mossy: Shelf, database: Settings) -> None:
    hit, *_ = search("moss on stones", settings=database)
    found = why(mossy.connection, "moss on stones", hit.chunk_id, settings=database)
    assert (found.reason, found.rank, found.score) == ("a hit", 1, hit.score)
    assert (found.keyword_rank, found.dense_rank) == (hit.keyword_rank, hit.dense_rank)
    assert {each["lexeme"]: each["count"] for each in found.lexemes} == {"moss": 1, "stone": 1}
    assert found.keyword_score == pytest.approx(
        sum(each["score"] for each in found.lexemes), abs=0.01
    )
    assert found.similarity == pytest.approx(0.5, abs=0.4)
    assert found.current


@pytest.mark.parametrize(
    ("query", "options", "reason", "unmet"),
    [
        ("kelp", {"k": 1}, "a hit behind the first 1", []),
        ("kelp", {"mode": "keyword"}, "it has none of the query's words", []),
        ('"stone moss"', {}, "it does not meet all demands", ['"stone moss"']),
        ("kelp -stone", {}, "it does not meet all demands", ['-"stone"']),
        ("moss path:b.txt", {}, "it does not meet all demands", None),
        ("moss", {"filter": {"year": 2023}}, "it does not meet all demands", ['{"year": 2023}']),
        ("moss", {"predicate": "year < 2000"}, "it does not meet all demands", None),
        ('"wet stone"', {"filter": {"year": 2024}}, "a hit", []),
    ],
)
def test_a_miss_is_explained(
    mossy: Shelf, query: str, options: dict[str, Any], reason: str, unmet: list[str] | None
) -> None:
    database = Settings(embedder="hashing")
    found = why(mossy.connection, query, chunk_of(mossy, "a.txt"), settings=database, **options)
    assert found.reason == reason
    asked = [each["asks"] for each in found.demands if not each["met"]]
    assert asked == unmet if unmet is not None else asked


def test_what_was_replaced_says_until_when_it_was_read(mossy: Shelf, database: Settings) -> None:
    old = chunk_of(mossy, "a.txt")
    mossy.put("a.txt", "Lichen grows")
    found = why(mossy.connection, "moss", old, settings=database)
    assert found.reason == "its version is no longer current"
    assert not found.current
    assert found.valid_to is not None


def test_the_past_is_searched_from_python(mossy: Shelf, database: Settings) -> None:
    (then,) = mossy.connection.execute("select clock_timestamp()").fetchone() or (None,)
    mossy.put("a.txt", "Lichen grows")
    mossy.embed()
    (hit,) = search("moss", mode="keyword", as_of=then, settings=database)
    assert hit.text == "Moss grows on wet stone"
    found = why(mossy.connection, "moss", hit.chunk_id, as_of=then, settings=database)
    assert (found.reason, found.current) == ("a hit", False)


@pytest.mark.parametrize("chunk", [None, 10**9])
def test_a_chunk_that_is_not_there_cannot_be_explained(shelf: Shelf, chunk: int | None) -> None:
    with pytest.raises(InvalidParameterValue, match="there is no chunk"):
        shelf.connection.execute("select * from openbook.why('moss', %s)", [chunk])


@pytest.mark.parametrize("skip", [-1, 10001])
def test_what_cannot_be_skipped_is_refused(shelf: Shelf, skip: int) -> None:
    with pytest.raises(InvalidParameterValue, match="skip is"):
        shelf.search("moss", skip=skip)
