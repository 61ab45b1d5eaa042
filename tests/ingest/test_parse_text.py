"""Plain text, light markup and structured text: nothing is lost, headings keep their levels."""

from __future__ import annotations

import json
import re
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.errors import Rejected
from tasks.ingest.parse import parse
from tasks.ingest.parse.elements import Elements, clean
from tasks.ingest.parse.encoding import decode
from tasks.ingest.parse.readers.markdown import add_markdown
from tasks.ingest.parse.readers.plain import add_plain
from tasks.ingest.parse.tables import add_rows
from tests.ingest.parse_fixtures import outline, parse_bytes, texts

PANGRAM = (
    "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich. Für 5 € gibt es Brötchen."
)
JAPANESE = "日本語の文章です。港に船が入りました。天気は晴れで、風は弱いでしょう。"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)
def test_unicode_text_is_read_with_and_without_a_byte_order_mark(encoding: str) -> None:
    assert decode(PANGRAM.encode(encoding)) == PANGRAM


def test_western_text_without_a_declared_encoding_is_read(tmp_path: Path) -> None:
    assert texts(parse_bytes(tmp_path, "a.txt", PANGRAM.encode("cp1252"))) == [PANGRAM]


def test_latin_1_text_is_read() -> None:
    text = PANGRAM.replace("€", "Euro")
    assert decode(text.encode("latin-1")) == text


def test_shift_jis_text_is_read() -> None:
    assert decode((JAPANESE * 3).encode("shift-jis")) == JAPANESE * 3


def test_a_damaged_byte_does_not_turn_utf_8_into_another_encoding() -> None:
    data = ("naïve café " * 200).encode()
    assert decode(data[:501] + b"\xff" + data[501:]).count("é") >= 199


def test_what_the_database_refuses_never_gets_through(tmp_path: Path) -> None:
    document = parse_bytes(
        tmp_path, "a.txt", "before\0after \ud800 end".encode("utf-8", "surrogatepass")
    )
    assert "\0" not in document.text
    document.text.encode()
    assert "beforeafter" in document.text


@settings(deadline=None)
@given(st.text())
def test_clean_text_can_be_stored(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcdefgh ÄÖ-*=#|.:\n\t", max_size=60), max_size=12))
def test_no_letter_of_plain_text_is_lost(lines: list[str]) -> None:
    source = "\n".join(lines)
    elements = Elements()
    add_plain(elements, source)
    kept = "".join(element.text for element in elements)
    assert [c for c in kept if c.isalpha()] == [c for c in source if c.isalpha()]


@settings(deadline=None)
@given(st.lists(st.text(alphabet="abcde >-*`#[]()!_\n 1.", max_size=40), max_size=12))
def test_no_letter_of_markdown_is_lost_but_in_link_targets(lines: list[str]) -> None:
    source = (
        "\n".join(lines)
        .replace("](", "] (")
        .replace("]:", "] :")
        .replace("```", "``")
        .replace("~~~", "~~")
    )
    elements = Elements()
    add_markdown(elements, source)
    kept = "".join(element.text for element in elements)
    assert [c for c in kept if c.isalpha()] == [c for c in source if c.isalpha()]


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["", "", "Ship", "Tons", "Port", "Aurora", "900"]), max_size=4),
        max_size=6,
    ),
    st.sampled_from([0, 1, 2, None]),
)
def test_every_label_and_every_value_of_a_table_is_read(
    rows: list[list[str]], header_rows: int | None
) -> None:
    elements = Elements()
    add_rows(elements, rows, header_rows)
    words = set(re.findall(r"\w+", " ".join(element.text for element in elements)))
    assert words == {cell for row in rows for cell in row if cell}


def test_a_column_without_values_keeps_its_name(tmp_path: Path) -> None:
    table = "| Ship | Tons | Captain |\n|---|---|---|\n| Aurora | 900 | |\n| Borea | 1200 | |\n"
    (text,) = texts(parse_bytes(tmp_path, "fleet.md", table))
    assert text == "Captain\nShip: Aurora; Tons: 900\nShip: Borea; Tons: 1200"


def test_wrapped_lines_are_joined_and_verses_are_not(tmp_path: Path) -> None:
    wrapped = (
        "The harbour master walks along the pier every morning,\n"
        "and he counts the ships that came in overnight."
    )
    verse = "Ebb and flow,\nships below,\nstars to show\nwhere to go."
    document = parse_bytes(tmp_path, "a.txt", f"{wrapped}\n\n{verse}\n")
    assert texts(document) == [wrapped.replace("\n", " "), verse]


def test_a_line_break_that_no_margin_forced_is_kept(tmp_path: Path) -> None:
    wrapped = (
        "The ship carries timber from the northern ports to all the yards along the\n"
        "river and back, and has done so every week since the spring of the year\n"
        "before last."
    )
    document = parse_bytes(tmp_path, "a.txt", f"Name: Aurora\n{wrapped}\nFlag: DE\n")
    assert texts(document) == [f"Name: Aurora\n{wrapped.replace(chr(10), ' ')}\nFlag: DE"]


def test_the_same_text_wrapped_anew_gives_the_same_elements(tmp_path: Path) -> None:
    words = ["harbour"] * 100
    narrow = "\n".join(" ".join(words[i : i + 8]) for i in range(0, 100, 8))
    wide = "\r\n".join(" ".join(words[i : i + 15]) for i in range(0, 100, 15)) + "   \r\n\r\n"
    assert (
        parse_bytes(tmp_path, "a.txt", narrow).elements
        == parse_bytes(tmp_path, "b.txt", wide).elements
    )


def test_plain_text_keeps_lists_and_underlined_headings(tmp_path: Path) -> None:
    document = parse_bytes(
        tmp_path, "a.txt", "Tides\n=====\n\n- ebb comes\n  first\n- flow\n\n1. one\n2. two\n"
    )
    assert outline(document) == [(1, "Tides")]
    assert texts(document, "ListItem") == ["ebb comes first", "flow", "1. one", "2. two"]
    assert document.title == "Tides"


def test_code_is_cut_between_definitions_and_keeps_its_lines(tmp_path: Path) -> None:
    source = dedent("""
        import os


        def f():
            x = 1

            return x


        def g():
            pass
    """).lstrip()
    document = parse_bytes(tmp_path, "a.py", source)
    assert texts(document, "CodeSnippet") == [
        "import os",
        "def f():\n    x = 1\n\n    return x",
        "def g():\n    pass",
    ]


def test_markdown_gives_its_outline_and_the_text_without_marks(tmp_path: Path) -> None:
    source = dedent("""
        # Harbour *guide*

        See the [tide table](http://h/t) and `pg_stat_activity`.
        Same line.

        ## Fees

        - **crane**: 40
          1. nested

        > quoted

        ```sql
        select 1
          from t
        ```

        | Ship | Tons |
        |---|---:|
        | Aurora | 900 |
        | Borea | 1200 |

        <details><summary>More</summary>Hidden words</details>

        ### Deep

        setext
        ------
    """).lstrip()
    document = parse_bytes(tmp_path, "a.md", source)
    assert document.title == "Harbour guide"
    assert outline(document) == [(1, "Harbour guide"), (2, "Fees"), (3, "Deep"), (2, "setext")]
    assert "See the tide table and pg_stat_activity. Same line." in texts(document)
    assert texts(document, "ListItem") == ["crane: 40", "nested"]
    assert texts(document, "CodeSnippet") == ["select 1\n  from t"]
    assert texts(document, "Table") == ["Ship: Aurora; Tons: 900\nShip: Borea; Tons: 1200"]
    assert {"quoted", "More", "Hidden words"} <= set(texts(document))


def test_front_matter_is_metadata_and_names_the_document(tmp_path: Path) -> None:
    source = dedent("""
        ---
        title: Tide tables
        tags: [sea, moon]
        description: When water comes.
        date: 2026-05-01
        ---
        # Other

        Text.
    """).lstrip()
    document = parse_bytes(tmp_path, "a.md", source)
    assert document.title == "Tide tables"
    assert document.metadata["tags"] == ["sea", "moon"]
    assert document.metadata["date"] == "2026-05-01"
    assert texts(document) == ["When water comes.", "Other", "Text."]


def test_a_page_of_front_matter_alone_is_not_empty(tmp_path: Path) -> None:
    document = parse_bytes(tmp_path, "a.mdx", "---\nopenapi: get /ships/{id}\n---\n")
    assert texts(document) == ["openapi: get /ships/{id}"]


def test_mdx_components_leave_their_texts(tmp_path: Path) -> None:
    source = dedent("""
        import X from "x"

        # Guide

        <Tabs>
          <Tab title="Python">
            Run **this**:

            ```python
            import os
            ```
          </Tab>
        </Tabs>

        An <Icon name='sea' /> inline.
    """).lstrip()
    document = parse_bytes(tmp_path, "a.mdx", source)
    assert texts(document) == ["Guide", "Python", "Run this:", "import os", "An sea inline."]
    assert texts(document, "CodeSnippet") == ["import os"]


def test_admonitions_are_ordinary_text(tmp_path: Path) -> None:
    source = dedent("""
        !!! note "Mind the tide"
            It comes

            twice.

        :::tip Early
        Be early.
        :::
    """).lstrip()
    assert texts(parse_bytes(tmp_path, "a.md", source)) == [
        "Mind the tide",
        "It comes",
        "twice.",
        "Early",
        "Be early.",
    ]


@pytest.mark.parametrize(
    "deep",
    [
        ">" * 5000 + " deep",
        "- " * 5000 + "deep",
        "  " * 0 + "".join("  " * i + "- x\n" for i in range(120)) + "  " * 120 + "- deep",
    ],
)
def test_markdown_nested_deeper_than_the_parser_goes_is_still_read(
    tmp_path: Path, deep: str
) -> None:
    assert "deep" in parse_bytes(tmp_path, "a.md", deep).text


def test_restructured_text_gives_sections_and_the_text_of_sphinx(tmp_path: Path) -> None:
    source = dedent("""
        Guide
        =====

        See :ref:`the tides <tides>` and :class:`~sea.Wave`.

        Use
        ---

        .. code-block:: bash
           :linenos:

           sail --fast

        .. versionadded:: 2.0
           Faster now.

        .. toctree::

           other

        term
           meaning

        =====  =====
        Ship   Tons
        =====  =====
        A      900
        =====  =====
    """).lstrip()
    document = parse_bytes(tmp_path, "a.rst", source)
    assert outline(document) == [(1, "Guide"), (2, "Use")]
    assert texts(document, "CodeSnippet") == ["sail --fast"]
    assert "See the tides and sea.Wave." in texts(document)
    assert {"2.0 Faster now.", "term: meaning", "Ship: A; Tons: 900"} <= set(texts(document))
    assert "other" not in document.text


ENTITY = '<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]>'


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.rst", "Title\n=====\n\n.. include:: {secret}\n"),
        ("a.rst", "Title\n=====\n\n.. raw:: html\n   :file: {secret}\n"),
        ("a.rst", "Title\n=====\n\n.. csv-table::\n   :file: {secret}\n"),
        ("a.org", "* Title\n#+INCLUDE: {secret}\ntext\n"),
        ("a.adoc", "= Title\n\ninclude::{secret}[]\n\ntext\n"),
        ("a.tex", "\\input{{{secret}}} text"),
        ("a.xml", ENTITY + "<a><p>text &x; end</p></a>"),
        ("a.svg", ENTITY + "<svg><text>text &x; end</text></svg>"),
        ("a.html", ENTITY + '<p>text &x; <iframe src="{secret}"></iframe></p>'),
    ],
)
def test_no_format_reads_another_file(tmp_path: Path, name: str, source: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    assert "hunter2" not in parse_bytes(tmp_path, name, source.format(secret=secret)).text


def test_org_gives_its_outline(tmp_path: Path) -> None:
    source = dedent("""
        #+TITLE: Log
        * TODO [#A] First :sea:
        :PROPERTIES:
        :ID: 1
        :END:
        Wrapped text
        here with [[http://h][a link]].
        ** Sub
        - one
          more
        - [X] two
        | Ship | Tons |
        |------+------|
        | A | 900 |
        #+begin_src sh
        ls

          -l
        #+end_src
    """).lstrip()
    document = parse_bytes(tmp_path, "a.org", source)
    assert document.title == "Log"
    assert outline(document) == [(1, "First"), (2, "Sub")]
    assert texts(document, "ListItem") == ["one more", "two"]
    assert texts(document, "CodeSnippet") == ["ls\n\n  -l"]
    assert {"Wrapped text here with a link.", "Ship: A; Tons: 900"} <= set(texts(document))


def test_asciidoc_gives_its_outline(tmp_path: Path) -> None:
    source = dedent("""
        = Guide
        :author: Ada

        See https://h[the port].

        == Use

        [source,sh]
        ----
        ls
        ----

        * one

        |===
        |Ship |Tons

        |A |900
        |===
    """).lstrip()
    document = parse_bytes(tmp_path, "a.adoc", source)
    assert outline(document) == [(1, "Guide"), (2, "Use")]
    assert texts(document) == ["Guide", "See the port.", "Use", "ls", "one", "Ship: A; Tons: 900"]


def test_latex_reads_as_its_author_reads_it(tmp_path: Path) -> None:
    source = dedent(r"""
        \documentclass{article}
        \newcommand{\prod}{Aurora}
        \title{On Tides}
        \begin{document}
        \section{Moon\label{s}} % draft
        The \textbf{moon} pulls \prod{} 5\,\% more~\cite{k}, see $E=mc^2$.

        \begin{itemize}
        \item ebb
        \item flow
        \end{itemize}
        \begin{verbatim}
        x  = 1
        \end{verbatim}
        \end{document}
    """).lstrip()
    document = parse_bytes(tmp_path, "a.tex", source)
    assert document.title == "On Tides"
    assert outline(document) == [(1, "Moon")]
    assert texts(document, "ListItem") == ["ebb", "flow"]
    assert texts(document, "CodeSnippet") == ["x  = 1"]
    assert "$E=mc^2$" in document.text
    assert "Aurora" in document.text
    assert "draft" not in document.text


def test_captions_become_what_each_speaker_said(tmp_path: Path) -> None:
    source = dedent("""
        WEBVTT

        NOTE draft

        1
        00:00:01.000 --> 00:00:02.000
        <v Ada>We sail

        2
        00:00:02.000 --> 00:00:03.000
        <v Ada>at <i>dawn</i>.

        3
        00:00:03.000 --> 00:00:04.000
        <v Ben>Fine &amp; good.</v>
    """).lstrip()
    assert texts(parse_bytes(tmp_path, "a.vtt", source)) == [
        "Ada: We sail at dawn.",
        "Ben: Fine & good.",
    ]


def test_json_becomes_one_line_a_value_and_one_element_a_record(tmp_path: Path) -> None:
    value = {
        "title": "Fleet",
        "port": {"name": "Kiel"},
        "ships": [{"name": "A", "tags": ["x", "y"]}, {"name": "B"}],
        "end": 1,
    }
    document = parse_bytes(tmp_path, "a.json", json.dumps(value))
    assert document.title == "Fleet"
    assert texts(document) == [
        "title: Fleet\nport.name: Kiel",
        "ships.name: A\nships.tags: x, y",
        "ships.name: B",
        "end: 1",
    ]


def test_what_is_no_json_is_read_all_the_same(tmp_path: Path) -> None:
    assert "comment" in parse_bytes(tmp_path, "a.json", '{"a": 1, // comment\n').text
    assert texts(parse_bytes(tmp_path, "a.jsonl", '{"a": 1}\nbroken\n{"a": 2}\n')) == [
        "a: 1",
        "broken",
        "a: 2",
    ]


def test_a_notebook_is_what_people_wrote_in_it(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Tides\n", "\n", "Measured."]},
        {"cell_type": "code", "source": "x = 1\ny = 2", "outputs": [{"text": "volatile"}]},
    ]
    document = parse_bytes(tmp_path, "a.ipynb", json.dumps({"cells": cells}))
    assert texts(document) == ["Tides", "Measured.", "x = 1\ny = 2"]


def test_xml_data_becomes_records_and_xml_prose_paragraphs(tmp_path: Path) -> None:
    source = (
        "<log><title>Sea log</title><ship><name>Aurora</name><tons>900</tons></ship>"
        "<section><title>Fog</title><p>It was <b>thick</b> &nosuch; all day &amp; night.</p>"
        'tail</section><add key="Timeout" value="30"/></log>'
    )
    document = parse_bytes(tmp_path, "a.xml", source)
    assert document.title == "Sea log"
    assert outline(document) == [(1, "Sea log"), (2, "Fog")]
    assert "name: Aurora\ntons: 900" in document.text
    assert "It was thick &nosuch; all day & night." in texts(document)
    assert {"tail", "add Timeout: value: 30"} <= set(texts(document))


@pytest.mark.parametrize(
    "source", ["<a><b>cut", "<a>" * 3000 + "deep" + "</a>" * 3000, "no markup"]
)
def test_xml_that_cannot_be_read_whole_is_rejected(tmp_path: Path, source: str) -> None:
    with pytest.raises(Rejected, match="well-formed"):
        parse_bytes(tmp_path, "a.xml", source)


@pytest.mark.parametrize("content", [b"", b"  \n\t\n ", b"\xef\xbb\xbf"])
def test_a_file_without_text_is_rejected_and_says_so(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(Rejected, match=r"empty|No text"):
        parse(path, "txt")
