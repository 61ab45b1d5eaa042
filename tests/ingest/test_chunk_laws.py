"""Laws that hold for every document: nothing lost, nothing too long, edits stay where they are."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.embedders import Tokenizer
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.embedders.hashing import WordTokenizer
from tasks.embedders.minilm import WordPieceTokenizer
from tasks.ingest.chunk import chunk
from tasks.records import ELEMENT_SEPARATOR, Document, Element
from tests.ingest.chunk_fixtures import document, heading, prose

TOKENIZERS: list[Tokenizer] = [WordPieceTokenizer(), WordTokenizer(), Cl100kTokenizer()]
WORDS = TOKENIZERS[1]

# as parsers give it: without control characters
characters = st.characters(exclude_categories=["Cc", "Cs"], include_characters="\n\t")
texts = st.one_of(
    st.text(characters, max_size=60),
    st.builds(prose, st.integers(0, 50), st.integers(1, 200)),
    st.builds(str.__mul__, st.text(characters, min_size=1, max_size=4), st.integers(1, 400)),
    st.lists(st.text(characters, max_size=20), max_size=8).map("\n".join),
)
elements = st.one_of(
    st.builds(
        Element,
        texts,
        st.sampled_from(["NarrativeText", "ListItem", "CodeSnippet", "Table"]),
        page=st.none() | st.integers(1, 9),
        section=st.sampled_from([None, None, None, "Pumps", "Prices"]),
    ),
    st.builds(heading, st.text(characters, max_size=20) | st.just("Pumps"), st.integers(1, 6)),
)
documents = st.builds(
    Document,
    st.just("txt"),
    st.none() | st.just("Pumps") | texts,
    st.lists(elements, max_size=12).map(tuple),
)


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
@settings(deadline=None)
@given(source=documents, limit=st.sampled_from([32, 64, 256]))
def test_no_chunk_passes_the_limit_and_its_tokens_are_counted_right(
    tokenizer: Tokenizer, source: Document, limit: int
) -> None:
    for one in chunk(source, tokenizer, limit):
        [spans] = tokenizer.spans([one.embedded_text])
        assert one.tokens == len(spans) + tokenizer.special_tokens <= limit


@settings(deadline=None)
@given(source=documents, limit=st.sampled_from([32, 256]))
def test_chunks_cover_the_text_in_order_without_overlap(source: Document, limit: int) -> None:
    chunks = chunk(source, WORDS, limit)
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    covered = bytearray(len(source.text))
    end = 0
    for one in chunks:
        assert end <= one.start < one.end
        end = one.end
        covered[one.start : one.end] = b"x" * (one.end - one.start)
        assert one.body.split() == source.text[one.start : one.end].split()
    offset = 0
    for element in source.elements:
        own = covered[offset : offset + len(element.text)]
        if element.depth is None:
            assert not any(
                character.strip() and not mark
                for character, mark in zip(element.text, own, strict=True)
            )
        offset += len(element.text) + len(ELEMENT_SEPARATOR)


@settings(deadline=None)
@given(source=documents)
def test_every_heading_is_in_a_path_or_a_body_or_is_the_title(source: Document) -> None:
    chunks = chunk(source, WORDS, 256)
    found = [text for one in chunks for text in (*one.section, *one.body.split("\n"), one.title)]
    for element in source.elements:
        name = " ".join(element.text.split())
        if element.depth is not None and name:
            assert name in found


@settings(deadline=None)
@given(source=documents)
def test_the_same_document_gives_the_same_chunks(source: Document) -> None:
    assert chunk(source, WORDS, 64) == chunk(source, WordTokenizer(), 64)


@settings(deadline=None)
@given(source=documents, seed=st.integers(0, 99))
def test_more_white_space_changes_no_chunk(source: Document, seed: int) -> None:
    draw = random.Random(seed)
    spaced = replace(
        source, elements=tuple(replace(e, text=loosen(e, draw)) for e in source.elements)
    )
    before = chunk(source, WORDS, 64)
    assert [one.sha256 for one in chunk(spaced, WORDS, 64)] == [one.sha256 for one in before]


def loosen(element: Element, draw: random.Random) -> str:
    """More space between words, but for code, and at the ends of lines; empty lines between."""
    lines = []
    for line in element.text.split("\n"):
        text = line if element.category == "CodeSnippet" else line.replace(" ", " \t ")
        lines += [text + " " * draw.randint(0, 2)] + [""] * draw.randint(0, 2)
    return "\n".join(lines)


def long_document(seed: int) -> list[str]:
    draw = random.Random(seed)
    return [prose(1000 * seed + n, draw.randint(5, 120)) for n in range(150)]


def changed(before: list[str], after: list[str], limit: int = 128) -> int:
    """How many chunks of the later document are not among those of the earlier one."""
    old = {one.sha256 for one in chunk(document(*before), WORDS, limit)}
    return len({one.sha256 for one in chunk(document(*after), WORDS, limit)} - old)


@pytest.mark.parametrize("seed", range(4))
def test_an_edit_changes_only_the_chunks_around_it(seed: int) -> None:
    paragraphs = long_document(seed)
    new = prose(-1 - seed, 40)
    counts = []
    for at in range(0, 150, 15):
        counts.append(changed(paragraphs, [*paragraphs[:at], new, *paragraphs[at:]]))
        counts.append(changed(paragraphs, [*paragraphs[:at], *paragraphs[at + 1 :]]))
        counts.append(changed(paragraphs, [*paragraphs[:at], new, *paragraphs[at + 1 :]]))
    assert sum(counts) / len(counts) < 3.5
    assert max(counts) <= 12


@pytest.mark.parametrize("seed", range(4))
def test_an_edit_inside_a_long_paragraph_changes_only_the_chunks_around_it(seed: int) -> None:
    draw = random.Random(seed)
    sentences = [prose(1000 * seed + n, draw.randint(4, 13)) for n in range(300)]
    counts = []
    for at in range(0, 300, 30):
        longer = [*sentences[:at], "A new sentence.", *sentences[at:]]
        counts.append(changed([" ".join(sentences)], [" ".join(longer)]))
    assert sum(counts) / len(counts) < 3.5
    assert max(counts) <= 12


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 50), cut=st.integers(1, 149))
def test_appending_changes_the_last_chunk_alone(seed: int, cut: int) -> None:
    paragraphs = long_document(seed)
    before = chunk(document(*paragraphs[:cut]), WORDS, 128)
    after = chunk(document(*paragraphs), WORDS, 128)
    assert after[: len(before) - 1] == before[:-1]


def test_a_section_that_moves_keeps_its_chunks() -> None:
    first = [heading("Care", 1), *long_document(1)[:20]]
    second = [heading("Prices", 1), *long_document(2)[:20]]
    before = chunk(document(*first, *second), WORDS, 128)
    after = chunk(document(*second, *first), WORDS, 128)
    assert {one.sha256 for one in before} == {one.sha256 for one in after}
