"""HTML: everything that a reader sees, in its order, whatever the markup does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.readers.html import add_html
from tests.ingest.parse_fixtures import outline, parse_bytes, texts

TAGS = [
    *("p", "div", "section", "blockquote", "pre", "h2", "b", "i", "em", "span", "a", "br"),
    *("ul", "li", "dl", "dt", "dd", "table", "tr", "td", "th"),
]


def read(source: str) -> list[str]:
    elements = Elements()
    add_html(elements, source)
    return [element.text for element in elements]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(TAGS), st.booleans()), max_size=40))
def test_no_word_is_lost_however_tags_are_nested_or_left_open(
    marks: list[tuple[str, bool]],
) -> None:
    source = "".join(f"<{'/' * closing}{tag}>word{i} " for i, (tag, closing) in enumerate(marks))
    words = re.findall(r"word\d+", " ".join(read(source)))
    assert {f"word{i}" for i in range(len(marks))} <= set(words)


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 100_000 + "deep" + "</div>" * 100_000,
        "<div>" * 100_000 + "deep",
        "<ul><li>" * 30_000 + "deep",
        "<table><tr><td>" * 20_000 + "deep",
        "<b><i>" * 50_000 + "deep",
    ],
)
def test_text_under_a_hundred_thousand_tags_is_read(source: str) -> None:
    assert read(source + "<p>after")[-2:] == ["deep", "after"] or "deepafter" in read(source)[-1]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("<p>one <del>two</del> <ins>three</ins></p>", ["one two three"]),
        ("<p>a &nosuch; b &amp; c &#0; d", ["a &nosuch; b & c \ufffd d"]),
        ("<p>one<!-- never closed <p>two", ["one never closed", "two"]),
        ("<p>one<script>if (a<b) x()</script><style>p{}</style> two", ["one two"]),
        ("<p>line one<br>line two</p>", ["line one\nline two"]),
        ("<p>H<sub>2</sub>O and <b>b</b><i>i</i></p>", ["H2O and bi"]),
        (
            "<dl><dt>Ebb<dd>water goes<dd>slowly<dt>Alone</dl>",
            ["Ebb: water goes", "slowly", "Alone"],
        ),
        ("<nav><a>Menu</a></nav><p>Text", ["Text"]),
        ("<nav><a>Menu</a></nav>", ["Menu"]),
        ('<p><img alt="Chart of the north basin"> seen</p>', ["Chart of the north basin seen"]),
        ("<h2>Use<a class='headerlink'>¶</a></h2>", ["Use"]),
    ],
)
def test_what_a_reader_sees(source: str, expected: list[str]) -> None:
    assert read(source) == expected


def test_headings_lists_code_and_metadata(tmp_path: Path) -> None:
    source = (
        "<html lang='en'><head><title>Tides - Port of Kiel</title>"
        "<meta name='author' content='Ada Berg'></head><body><h1>Tides</h1><h3>Ebb</h3>"
        "<ul><li>one<ul><li>two</li></ul></li></ul><pre><code>x = 1\n  y = 2</code></pre>"
    )
    document = parse_bytes(tmp_path, "a.html", source)
    assert document.title == "Tides"
    assert document.metadata == {"author": "Ada Berg", "language": "en"}
    assert outline(document) == [(1, "Tides"), (3, "Ebb")]
    assert texts(document, "ListItem") == ["one", "two"]
    assert texts(document, "CodeSnippet") == ["x = 1\n  y = 2"]


def test_a_table_of_data_becomes_rows_under_their_headers() -> None:
    source = (
        "<table><caption>Fleet</caption><thead><tr><th>Ship<th colspan=2>Load</tr></thead>"
        "<tr><td rowspan=2>Aurora<td>timber<td>900<tr><td>grain<td>80</table>"
    )
    assert read(source) == [
        "Fleet",
        "Ship: Aurora; Load: timber; Load: 900\nShip: Aurora; Load: grain; Load: 80",
    ]


def test_a_header_across_all_columns_is_the_tables_title() -> None:
    source = "<table><tr><th colspan=2>Aurora</tr><tr><td>Cargo<td>timber<tr><td>Flag<td>DE</table>"
    assert read(source) == ["Aurora", "Cargo: timber\nFlag: DE"]


def test_a_table_that_lays_out_a_page_becomes_its_contents() -> None:
    source = (
        "<table role=presentation><tr><td><h2>News</h2><p>Fog.</p>"
        "<table><tr><th>Ship<th>Tons<tr><td>Aurora<td>900</table></table>"
    )
    assert read(source) == ["News", "Fog.", "Ship: Aurora; Tons: 900"]


def test_spans_cannot_blow_a_table_up() -> None:
    assert (
        len("".join(read("<table>" + "<tr><td colspan=999999 rowspan=999999>x<td>y" * 50))) < 50_000
    )


@pytest.mark.parametrize("encoding", ["cp1252", "shift-jis", "utf-16"])
def test_the_declared_encoding_is_believed(tmp_path: Path, encoding: str) -> None:
    word = "港" if encoding == "shift-jis" else "Brötchen"
    source = f"<html><head><meta charset={encoding}></head><body><p>{word}</p></body></html>"
    assert texts(parse_bytes(tmp_path, "a.html", source.encode(encoding))) == [word]


def test_a_rebuilt_page_with_the_same_text_gives_the_same_elements(tmp_path: Path) -> None:
    old = "<html><body class='a'><div><h1>Tides</h1>\n<p>Water comes\n   and goes.</p></div></body>"
    new = "<main id=x><h1 class=t> Tides </h1><p>Water <span>comes</span> and goes.</main>"
    first, second = parse_bytes(tmp_path, "a.html", old), parse_bytes(tmp_path, "b.html", new)
    assert first.elements == second.elements
    assert first.title == second.title
