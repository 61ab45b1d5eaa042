"""What keyword search sees of a text: stems, and identifiers as they are written."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection

from tests.retrieve.conftest import Shelf


def lexemes(connection: Connection, text: str, language: str = "english") -> set[str]:
    row = connection.execute(
        "select tsvector_to_array(openbook.lexemes(%s, %s))", [language, text]
    ).fetchone()
    assert row is not None
    return set(row[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The runners were running", {"runner", "run"}),
        ("pg_stat_activity", {"pg_stat_activity", "pg", "stat", "activ"}),
        ("set hnsw.ef_search;", {"set", "hnsw.ef_search", "hnsw", "ef", "search"}),
        ("Error ERR-1042.", {"error", "err-1042", "err", "1042"}),
        ("SKU 12-345/A", {"sku", "12-345/a", "12", "345"}),
        ("getHTTPStatus()", {"gethttpstatus", "get", "httpstatus"}),
        ("writeBoolean", {"writeboolean", "write", "boolean"}),
        ("1,250,000 units at 1,250.50", {"1250000", "1250.50", "1", "250", "000", "50", "unit"}),
        ("a well-known trade-off", {"well", "known", "trade"}),
        ("-5 +7 ~/x", {"5", "7", "x"}),
        ("mail ann@example.org", {"mail", "ann@example.org", "ann", "exampl", "org"}),
        (
            "https://example.org/a-b.html?q=1",
            {"https", "example.org/a-b.html", "exampl", "org", "b", "html", "q", "1"},
        ),
        ("<b>bold</b> &amp; x", {"b", "bold", "amp", "x"}),
        ("don't stop", {"stop"}),
        ("the of and", set()),
        ("", set()),
    ],
)
def test_words_are_stemmed_and_identifiers_kept(
    connection: Connection, text: str, expected: set[str]
) -> None:
    assert lexemes(connection, text) == expected


def test_each_language_has_its_own_stems(connection: Connection) -> None:
    assert lexemes(connection, "Die Häuser der Städte", "german") == {"haus", "stadt"}
    assert lexemes(connection, "Die Häuser", "simple") == {"die", "häuser"}


def test_a_word_too_long_for_a_lexeme_does_no_harm(connection: Connection) -> None:
    text = f"walrus {'x_' * 5000} {'y' * 5000} oyster"
    assert lexemes(connection, text) == {"walrus", "x", "oyster"}


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_text_is_found_by_itself(connection: Connection, text: str) -> None:
    """The analyser is total, reads a query as it read the text, and counts what it keeps."""
    row = connection.execute(
        "select length(l) + length(l::text) - length(replace(l::text, ',', '')),"
        " (select coalesce(sum(cardinality(positions)), 0) from unnest(l)),"
        " (select bool_and(l @@ openbook.lexeme_query(lexeme)"
        "    and openbook.lexeme_count(l, openbook.lexeme_query(lexeme)) = cardinality(positions))"
        "  from unnest(l))"
        " from openbook.lexemes('english', %s) l",
        [text],
    ).fetchone()
    assert row is not None
    length, counted, found = row
    assert length == counted
    assert found in (None, True)


@pytest.mark.parametrize(
    "identifier", ["pg_stat_activity", "hnsw.ef_search", "ERR-1042", "SKU 12-345/A", "writeBoolean"]
)
def test_an_identifier_finds_its_passage_before_those_that_have_its_parts(
    shelf: Shelf, identifier: str
) -> None:
    parts = "pg stat activity hnsw ef search err 1042 sku 12 345 write boolean "
    for number in range(5):
        shelf.put(f"parts-{number}.txt", parts * (number + 1) + f"and {number}")
    shelf.put("it.txt", f"A long text mentions {identifier} once, among many other words of prose.")
    assert shelf.paths(identifier, mode="keyword")[0] == "it.txt"
