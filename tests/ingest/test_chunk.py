"""What a chunk holds: sections and their headings, offsets, pages, code, tables, data."""

from __future__ import annotations

import base64
import random
from collections.abc import Sequence

import pytest

from tasks.embedders import Spans, Tokenizer
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.embedders.hashing import WordTokenizer
from tasks.embedders.minilm import WordPieceTokenizer
from tasks.ingest.chunk import chunk
from tasks.records import Chunk, Document, Element
from tests.ingest.chunk_fixtures import code, document, heading, prose, rows

WORDS = WordTokenizer()
WORD_PIECE = WordPieceTokenizer()


def sections(chunks: tuple[Chunk, ...]) -> list[tuple[str, ...]]:
    return [one.section for one in chunks]


def test_a_text_that_fits_is_one_chunk() -> None:
    parts = ["The boiler is in hall 3.", "It is inspected in March.", "Then it is cleaned."]
    [only] = chunk(document(*parts), WORD_PIECE, 256)
    assert only.body == "\n".join(parts)
    assert (only.ordinal, only.title, only.section) == (0, None, ())


def test_an_empty_document_has_no_chunks() -> None:
    assert chunk(document(), WORDS, 64) == ()
    assert chunk(document("  \n "), WORDS, 64) == ()


def test_each_section_is_a_chunk_under_its_path() -> None:
    chunks = chunk(
        document(
            prose(1, 30),
            heading("Pumps", 1),
            prose(2, 30),
            heading("Seals", 2),
            prose(3, 30),
            heading("Prices", 1),
            prose(4, 30),
        ),
        WORDS,
        64,
    )
    assert sections(chunks) == [(), ("Pumps",), ("Pumps", "Seals"), ("Prices",)]
    assert [one.body for one in chunks] == [prose(n, 30) for n in (1, 2, 3, 4)]


def test_a_skipped_level_does_not_break_the_path() -> None:
    parts = heading("Deep", 4), prose(1, 40), heading("Less deep", 3), prose(2, 40)
    chunks = chunk(document(heading("Top", 1), prose(0, 40), *parts), WORDS, 64)
    assert sections(chunks) == [("Top",), ("Top", "Deep"), ("Top", "Less deep")]


def test_the_embedded_text_names_title_and_section_first() -> None:
    [only] = chunk(document(heading("Leave", 2), "25 days.", title="Handbook"), WORDS, 64)
    assert only.embedded_text == "Handbook\nLeave\n25 days."


def test_a_heading_that_is_the_title_stands_in_no_path() -> None:
    chunks = chunk(
        document(
            heading("Handbook", 1), prose(1, 40), heading("Leave", 2), prose(2, 40),
            title="Handbook",
        ),
        WORDS,
        64,
    )  # fmt: skip
    assert sections(chunks) == [(), ("Leave",)]
    assert all("Handbook" not in one.body for one in chunks)


def test_a_heading_without_text_is_found_by_its_own_words() -> None:
    chunks = chunk(
        document(
            heading("Pumps", 1), prose(1, 40), heading("To be written", 2), heading("Prices", 1),
            prose(2, 40), heading("The end", 1),
        ),
        WORDS,
        64,
    )  # fmt: skip
    assert [(one.section, one.body) for one in chunks] == [
        (("Pumps",), prose(1, 40)),
        (("Pumps",), "To be written"),
        (("Prices",), prose(2, 40)),
        ((), "The end"),
    ]


def test_a_document_of_nothing_but_its_title_is_found() -> None:
    [only] = chunk(document(heading("Handbook", 1), title="Handbook"), WORDS, 64)
    assert only.body == "Handbook"


def test_small_subsections_are_one_chunk_with_the_text_above_them() -> None:
    small = heading("Oil", 2), "Once a year.", heading("Seals", 2), "Every two years."
    [first, second] = chunk(
        document(heading("Care", 1), "What to do when.", *small, heading("Prices", 1), "None."),
        WORDS,
        64,
    )
    assert first.section == ("Care",)
    assert first.body == "What to do when.\nOil\nOnce a year.\nSeals\nEvery two years."
    assert (second.section, second.body) == (("Prices",), "None.")


def test_small_neighbours_share_chunks_beside_a_large_one() -> None:
    chunks = chunk(
        document(
            heading("Care", 1), heading("Oil", 2), "Yearly.", heading("Seals", 2), "Monthly.",
            heading("Motor", 2), prose(1, 50),
        ),
        WORDS,
        64,
    )  # fmt: skip
    assert [(one.section, one.body) for one in chunks] == [
        (("Care",), "Oil\nYearly.\nSeals\nMonthly."),
        (("Care", "Motor"), prose(1, 50)),
    ]


def test_top_sections_stay_apart_however_small() -> None:
    parts = heading("Oil", 1), "Once a year.", heading("Seals", 1), "Every two years."
    assert sections(chunk(document(*parts), WORDS, 64)) == [("Oil",), ("Seals",)]


def test_a_sheet_begins_the_path_and_ends_the_sections_before_it() -> None:
    elements = (
        Element("Pumps", "Title", depth=1, section="2025"),
        Element("A-1; 12.50", "Table", section="2025"),
        Element("A-1; 13.50", "Table", section="2026"),
    )
    chunks = chunk(Document("xlsx", None, elements), WORDS, 64)
    assert [(one.section, one.body) for one in chunks] == [
        (("2025",), "Pumps\nA-1; 12.50"),
        (("2026",), "A-1; 13.50"),
    ]


def test_what_follows_the_last_sheet_is_in_none() -> None:
    elements = (
        Element("A-1; 12.50", "Table", section="2025"),
        Element("Prices are net.", "NarrativeText"),
    )
    assert sections(chunk(Document("xlsx", None, elements), WORDS, 64)) == [("2025",), ()]


def test_a_heading_too_long_to_be_repeated_is_text() -> None:
    [only] = chunk(document(heading(prose(1, 40), 1), "Short."), WORDS, 64)
    assert (only.section, only.body) == ((), f"{prose(1, 40)}\nShort.")


def test_a_path_too_long_to_be_repeated_loses_its_outer_headings() -> None:
    outline = [heading(f"Level {depth} of a long outline", depth) for depth in range(1, 7)]
    chunks = chunk(document(*outline, prose(1, 60)), WORDS, 64)
    assert sections(chunks) == [("Level 5 of a long outline", "Level 6 of a long outline")] * len(
        chunks
    )


def test_a_long_title_is_shortened() -> None:
    [only] = chunk(document("Short.", title="pump and seal " * 100), WORDS, 64)
    assert only.title == "pump and seal " * 5 + "pump"


def test_offsets_give_the_body_back() -> None:
    source = document(
        heading("Care", 1), prose(1, 90), code("def f():\n\n    return 1"), prose(2, 90)
    )
    chunks = chunk(source, WORDS, 64)
    assert len(chunks) > 2
    for one in chunks:
        assert source.text[one.start : one.end].split() == one.body.split()


def test_pages_are_those_of_the_first_and_last_element() -> None:
    elements = (
        Element(prose(1, 20), "NarrativeText", page=3),
        Element(prose(2, 20), "NarrativeText", page=4),
        Element(prose(3, 50), "NarrativeText", page=5),
    )
    chunks = chunk(Document("pdf", None, elements), WORDS, 64)
    assert [(one.first_page, one.last_page) for one in chunks] == [(3, 4), (5, 5)]


def test_without_pages_there_are_none() -> None:
    [only] = chunk(document("Short."), WORDS, 64)
    assert (only.first_page, only.last_page) == (None, None)


def test_paragraphs_are_not_torn_where_they_fit() -> None:
    parts = [prose(n, 25) for n in range(12)]
    chunks = chunk(document(*parts), WORDS, 64)
    assert "\n".join(one.body for one in chunks).split("\n") == parts


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    chunks = chunk(document(prose(1, 400)), WORDS, 64)
    assert len(chunks) > 5
    assert all(one.body.endswith(".") for one in chunks)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("これは文です。" * 60, "。"),
        ("one two three four five six, " * 60, ","),
    ],
)
def test_other_scripts_and_endless_sentences_are_cut_at_their_marks(text: str, ends: str) -> None:
    chunks = chunk(document(text), WORD_PIECE, 64)
    assert len(chunks) > 5
    assert all(one.body.endswith(ends) for one in chunks)


def test_sentences_without_spaces_between_them_are_joined_without() -> None:
    text = "これは文です。" * 60
    chunks = chunk(document(text), WORD_PIECE, 64)
    assert "".join(one.body for one in chunks) == text


def test_an_abbreviation_does_not_end_a_sentence() -> None:
    text = "It holds many liquids, e.g. water and oil and milk and wine and beer. " * 12
    chunks = chunk(document(text), WORDS, 64)
    assert not any(one.body.endswith("e.g.") for one in chunks)


def test_what_a_colon_announces_stays_with_it() -> None:
    items = [Element(prose(n, 12), "ListItem") for n in range(3)]
    for before in range(20, 60):
        announced = f"{prose(9, before)} Do this:"
        chunks = chunk(document(announced, *items), WORDS, 64)
        assert not any(one.body.endswith("Do this:") for one in chunks[:-1])


def test_code_keeps_its_lines_and_indentation() -> None:
    [only] = chunk(document(code("def f():  \n    if x:\n\n        return 1\n")), WORDS, 64)
    assert only.body == "def f():\n    if x:\n        return 1"


def test_long_code_is_cut_between_lines() -> None:
    lines = [f"    total_{n} = price_{n} * amount_{n}" for n in range(80)]
    chunks = chunk(document(code("\n".join(lines))), WORD_PIECE, 64)
    assert len(chunks) > 5
    assert [line for one in chunks for line in one.body.split("\n")] == lines


def test_rows_of_a_table_are_not_torn() -> None:
    lines = [f"part: A-{n}; price: {n}.50; stock: {n * 7}. To order. Soon." for n in range(60)]
    chunks = chunk(document(rows("\n".join(lines))), WORDS, 64)
    assert len(chunks) > 5
    assert [line for one in chunks for line in one.body.split("\n")] == lines


def test_a_row_longer_than_a_chunk_is_cut_between_cells() -> None:
    row = "; ".join(f"column {n}: value {n}" for n in range(60))
    chunks = chunk(document(rows(row)), WORDS, 64)
    assert len(chunks) > 3
    assert all(one.body.startswith("column") for one in chunks)


@pytest.mark.parametrize("tokenizer", [WORD_PIECE, WORDS, Cl100kTokenizer()])
@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(random.Random(0).randbytes(30_000)).decode(),
        "a" * 100_000,
        "a. " * 20_000,
        "word " * 20_000,
        "日本語" * 10_000,
        "😀" * 5_000,
        "." * 20_000,
    ],
    ids=["base64", "one letter", "short sentences", "one sentence", "kanji", "emoji", "dots"],
)
def test_text_without_places_to_cut_is_cut_all_the_same(text: str, tokenizer: Tokenizer) -> None:
    chunks = chunk(document(text), tokenizer, 256)
    assert max(one.tokens for one in chunks) <= 256
    assert max(len(one.body) for one in chunks) <= 256 * 20
    assert "".join("".join(one.body for one in chunks).split()) == "".join(text.split())


def test_a_megabyte_without_a_space_is_not_shown_to_the_tokenizer_whole() -> None:
    class Watched(WordTokenizer):
        longest = 0
        characters = 0

        def spans(self, texts: Sequence[str]) -> list[Spans]:
            self.longest = max(self.longest, *map(len, texts))
            self.characters += sum(map(len, texts))
            return super().spans(texts)

    tokenizer = Watched()
    chunk(document("x" * 1_000_000), tokenizer, 256)
    assert tokenizer.longest < 6_000
    assert tokenizer.characters < 3_000_000


def test_a_limit_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="31 tokens"):
        chunk(document("text"), WORDS, 31)
