"""What a query's text asks for beside its words, and what it does not."""

from __future__ import annotations

import json

import pytest
from psycopg import Connection

from tasks.retrieve.search import search
from tasks.settings import Settings
from tests.bench import beir
from tests.retrieve.conftest import Shelf

MODES = ("keyword", "dense", "hybrid")


def read(connection: Connection, query: str) -> tuple[str, list[str], list[str]]:
    row = connection.execute(
        "select words, coalesce(required, '{}'), coalesce(excluded, '{}'), filter"
        " from openbook.read_query(%s)",
        [query],
    ).fetchone()
    assert row is not None
    return row[:3]


@pytest.mark.parametrize(
    ("query", "words", "required", "excluded"),
    [
        ('"dry running" pump', "dry running pump", ["dry running"], []),
        ("pump -seal", "pump", [], ["seal"]),
        ('pump -"shaft seal" noise', "pump noise", [], ["shaft seal"]),
        (
            '-seal -gasket pump "dry running"',
            "pump dry running",
            ["dry running"],
            ["seal", "gasket"],
        ),
        ('"a b" "c d" -hnsw.ef_search', "a b c d", ["a b", "c d"], ["hnsw.ef_search"]),
        ("pump path:policies/ format:PDF", "pump", [], []),
        ('title:"Price list"', "", [], []),
        ('pump -path:drafts/ -title:"Old list"', "pump", [], []),
    ],
)
def test_operators_are_taken_out_of_the_words(
    connection: Connection, query: str, words: str, required: list[str], excluded: list[str]
) -> None:
    assert read(connection, query) == (words, required, excluded)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "  two  blanks ",
        "git commit -m",
        'git commit -m "fix: typo" file',
        "find . -name x",
        "tar -xzf a.tgz",
        "ls -la",
        "pg_basebackup --write-recovery-conf",
        "a-b",
        "well-known trade-offs",
        "-5",
        "x -5",
        "5 - 3",
        "a - b",
        "-",
        "std::vector",
        "source::name",
        "http://x",
        "source://x",
        "title: x",
        "note:x",
        "Path:x",
        "C:\\temp",
        "10:30",
        '5" pipe and 6" pipe',
        'a"b c"d',
        '"',
        '""',
        '"unfinished',
        "don't 'quote me'",
        "-Wall -Wextra",
        "flows -dash experimental papers",
        "Privatpersonen und -organisationen, Schulen",
        'What did she say about the song "The Four Seasons"?',
        'He says "no -never" and goes.',
        "what about injection -dash papers .",
        'pump \\"dry running\\"',
        "pump \\-seal",
        "pump \\path:x",
    ],
)
def test_what_can_be_mistaken_is_words(connection: Connection, query: str) -> None:
    expected = (query, [], [])
    if query == 'git commit -m "fix: typo" file':  # the quotes are unmistakable, the flag is not
        expected = ("git commit -m fix: typo file", ["fix: typo"], [])
    assert read(connection, query) == expected


@pytest.mark.skipif(not beir.SHARED.is_dir(), reason="no test collections")
def test_the_queries_of_the_test_collections_are_words(connection: Connection) -> None:
    queries = [
        json.loads(line)["text"].replace("\0", " ")
        for file in sorted(beir.SHARED.glob("*/queries.jsonl"))
        for line in file.open(encoding="utf-8")
    ]
    read_otherwise = connection.execute(
        "select q from unnest(%s::text[]) q, openbook.read_query(q) where words <> q", [queries]
    ).fetchall()
    assert sorted(read_otherwise) == [
        ('python "binary string" to int',),
        ('python "not is none" "is not none"',),
    ]


@pytest.fixture
def seaside(shelf: Shelf) -> Shelf:
    shelf.put(
        "sea/tides.md", "Springs follow the full moon.", "A moon full of craters", title="Tides"
    )
    shelf.put("sea/kelp.txt", "Kelp under a moon; set hnsw.ef_search there", format="txt")
    shelf.put("land/moss.md", "Moss by moonlight. To be or not to be.", title="Moss (50%_off)")
    for number in range(8):
        shelf.put(f"land/more-{number}.txt", *(f"moon {number} {place}" for place in range(9)))
    shelf.embed()
    shelf.seal()
    shelf.put("new.txt", "The full moon over new land")
    shelf.embed()
    return shelf


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('"full moon"', {"Springs follow the full moon.", "The full moon over new land"}),
        ('"follows the full moons"', {"Springs follow the full moon."}),
        ('moon "hnsw.ef_search"', {"Kelp under a moon; set hnsw.ef_search there"}),
        ('"full moon" -spring', {"The full moon over new land"}),
        ('"full moon" path:sea', {"Springs follow the full moon."}),
        ('"full moon" -path:sea/', {"The full moon over new land"}),
        ('"full moon" -"new land" source:shelf', {"Springs follow the full moon."}),
        ('"to be or not to be" moss', {"Moss by moonlight. To be or not to be."}),
        ('moon "no such thing"', set()),
        ("moon title:tid", {"Springs follow the full moon.", "A moon full of craters"}),
        ('moon title:"50%_OFF"', {"Moss by moonlight. To be or not to be."}),
        ("moon path:sea/*.txt", {"Kelp under a moon; set hnsw.ef_search there"}),
        ("moon path:sea/kelp.txt", {"Kelp under a moon; set hnsw.ef_search there"}),
        (
            "moon path:new.txt path:sea -title:tides",
            {"The full moon over new land", "Kelp under a moon; set hnsw.ef_search there"},
        ),
    ],
)
def test_requirements_hold_in_every_mode(
    seaside: Shelf, database: Settings, mode: str, query: str, expected: set[str]
) -> None:
    found = {hit.text for hit in search(query, mode=mode, k=50, settings=database)}
    if mode == "keyword":  # what has none of the words is no keyword hit
        assert found <= expected
        assert found or not expected or "title:" in query
    else:
        assert found == expected


@pytest.mark.parametrize("mode", MODES)
def test_k_hits_come_back_that_meet_a_wide_requirement(
    seaside: Shelf, database: Settings, mode: str
) -> None:
    hits = search("moon -full -kelp", mode=mode, k=60, settings=database)
    assert len(hits) == 60
    assert not any(word in hit.text.lower() for hit in hits for word in ("full", "kelp"))


def test_the_dense_list_looks_for_the_words_without_operators(
    seaside: Shelf, database: Settings
) -> None:
    search('"full moon" path:sea -crater', settings=database)
    assert seaside.connection.execute("select query from query_embeddings").fetchall() == [
        ("full moon",)
    ]


def test_a_phrase_is_read_in_the_language_of_each_passage(shelf: Shelf) -> None:
    shelf.put("en.txt", "The houses of the town", source="english")
    shelf.put("de.txt", "Die Häuser der Stadt", source="german", language="german")
    assert shelf.paths('"Haus der Städte"', mode="keyword") == ["de.txt"]
    assert shelf.paths('"house of the towns"', mode="keyword") == ["en.txt"]
    assert shelf.paths("house -die", mode="keyword") == ["en.txt"]


def test_the_past_is_held_to_the_requirements_of_a_query(shelf: Shelf) -> None:
    shelf.put("a.txt", "an old wasp", "a wasp that was old")
    (then,) = shelf.connection.execute("select clock_timestamp()").fetchone() or (None,)
    shelf.put("a.txt", "a new hornet")
    hits = shelf.search('"old wasp"', mode="keyword", as_of=then)
    assert [hit["text"] for hit in hits] == ["an old wasp"]
