"""From the lines of a pdf to its paragraphs, headings and items, by size and place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.readers.pdf_lines import Line, Page

Outline = Mapping[int, Mapping[str, int]]
"""By page (from 0): each bookmark's text, folded, and its level from 1."""

_HEADING_WORDS = 16
_HEADING_SCALE = 1.12
_HEADING_LINES = 3
_SIZES = 4
"""How many sizes of headings are told apart."""
_RUNNING_SHARE = 0.4
_RUNNING_PAGES = 3
_EDGE_SHARE = 0.09
"""How much of the paper, above and below, is left to running heads and feet."""
_PLACE_POINTS = 4
_RUNNING_CHARACTERS = 100
_BULLET = re.compile(r"(?:[•‣▪●◦·\u2013\u2014○■□➢✓*-]|\(?\d{1,2}[.)]|\(?[a-z][.)]|\([ivx]+\))\s+")
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)\.?\s+\S")
_NUMBERING = re.compile(
    r"\W*(?:(?:chapter|section|part|appendix)\s+)?(?:\d+(?:\.\d+)*|[A-Z]|[IVX]+)[.:)]?\s+", re.I
)
_PAGE_NUMBER = re.compile(
    r"\W*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/|von)\s*\d{1,4})?\W*$", re.I
)
_SENTENCE_END = re.compile(r"[.!?:;\u3002\uff01\uff1f]['\"\u201d\u2019)\]]*$")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DOTS = re.compile(r"\.{4}|^[•‣▪●◦·○■□➢✓]")
"""A line of a table of contents, or an item: no heading, however large."""
_DIGITS = re.compile(r"[0-9]{1,6}")


@dataclass(slots=True)
class Block:
    """Lines that belong together."""

    lines: list[Line]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def add_pages(elements: Elements, pages: Sequence[Page], outline: Outline) -> None:
    """Append the blocks of all pages, each with its page number from 1."""
    margins = _Margins(pages)
    headings = _Headings(pages, outline)
    seen: set[str] = set()
    for index, page in enumerate(pages):
        elements.page = index + 1
        body, running = margins.split(page, index)
        for line in running:
            if not _PAGE_NUMBER.match(line.text) and _counted(line.text, index) not in seen:
                elements.paragraph(line.text, "Header")
            seen.add(_counted(line.text, index))
        for block in _blocks(body):
            if block.lines[0].cells > 1:
                elements.rows("\n".join(line.text for line in block.lines))
                continue
            depth = headings.depth(index, block)
            if depth is not None:
                elements.heading(block.text, depth)
            elif bullet := _BULLET.match(block.lines[0].text):
                text = block.text
                is_number = bullet.group()[0].isalnum() or bullet.group()[0] == "("
                elements.item(text if is_number else text[bullet.end() :])
            else:
                elements.paragraph(block.text)


def fold(text: str) -> str:
    """A heading as it is compared: its letters and digits in lower case, its number left out."""
    number = _NUMBERING.match(text)
    words = "".join(filter(str.isalnum, text[number.end() :] if number else text)).lower()
    return words or "".join(filter(str.isalnum, text)).lower()


class _Headings:
    """Tells headings: by the pdf's own outline where it has one, else by size and weight."""

    def __init__(self, pages: Sequence[Page], outline: Outline) -> None:
        self._outline = outline if _is_borne_out(outline, pages) else {}
        sizes: Counter[float] = Counter()
        bold = total = 0
        for line in (line for page in pages for line in page.lines):
            sizes[line.size] += len(line.text)
            bold += len(line.text) * line.bold
            total += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        self._bold_stands_out = bold < total * 0.2
        larger = Counter(
            line.size
            for page in pages
            for line in page.lines
            if line.size > self._body * _HEADING_SCALE and _is_short(line.text)
        )
        self._sizes = _clusters(larger)

    def depth(self, page: int, block: Block) -> int | None:
        """The block's level as a heading; None for a block that is none."""
        text = block.text
        if len(block.lines) > _HEADING_LINES or not _is_short(text) or _DOTS.search(text):
            return None
        if self._outline:
            level = self._outline.get(page, {}).get(fold(text))
            if level is not None or page > 0:
                return level
        height = max(line.size for line in block.lines)
        if height > self._body * _HEADING_SCALE:
            return self._rank(height)
        numbered = _NUMBERED.match(text)
        if self._bold_stands_out and all(line.bold for line in block.lines):
            if _SENTENCE_END.search(text) and not numbered:
                return None
            parts = numbered.group(1).count(".") if numbered else 0
            return len(self._sizes) + 1 + parts
        return None

    def _rank(self, height: float) -> int:
        return next(
            (i for i, size in enumerate(self._sizes, 1) if height >= size), len(self._sizes) or 1
        )


def _is_borne_out(outline: Outline, pages: Sequence[Page]) -> bool:
    """Whether the pages show at least half of the bookmarks."""
    found = total = 0
    for page, titles in outline.items():
        shown = [fold(line.text) for line in pages[page].lines] if page < len(pages) else []
        total += len(titles)
        found += sum(any(text and title.startswith(text) for text in shown) for title in titles)
    return found * 2 >= total > 0


def _clusters(heights: Counter[float]) -> list[float]:
    """The lower bounds of the sizes that headings come in, largest first."""
    bounds: list[float] = []
    for height in sorted(heights, reverse=True):
        if bounds and height > bounds[-1] * 0.94:
            bounds[-1] = height
        elif len(bounds) < _SIZES:
            bounds.append(height)
    return bounds


def _is_short(text: str) -> bool:
    return (
        len(text.split()) <= _HEADING_WORDS
        and len(text) < 160
        and _LETTERS.search(text) is not None
    )


class _Margins:
    """The running heads and feet: lines that return at the same place of many pages' edges."""

    def __init__(self, pages: Sequence[Page]) -> None:
        places: Counter[tuple[str, int]] = Counter()
        for index, page in enumerate(pages):
            places.update({_place(line, index) for line in page.lines if _is_at_edge(line, page)})
        least = max(_RUNNING_PAGES, len(pages) * _RUNNING_SHARE)
        self._running = frozenset(place for place, count in places.items() if count >= least)

    def split(self, page: Page, index: int) -> tuple[list[Line], list[Line]]:
        """The lines of a page's body, and those of its margins; one of the two is all there is."""
        body: list[Line] = []
        margins: list[Line] = []
        for line in page.lines:
            repeated = _place(line, index) in self._running or _PAGE_NUMBER.match(line.text)
            (margins if repeated and _is_at_edge(line, page) else body).append(line)
        return (body, margins) if body else (margins, [])


def _is_at_edge(line: Line, page: Page) -> bool:
    edge = (page.high - page.low) * _EDGE_SHARE
    at_edge = line.bottom > page.high - edge or line.top < page.low + edge
    return at_edge and len(line.text) <= _RUNNING_CHARACTERS


def _place(line: Line, page: int) -> tuple[str, int]:
    """What a running line repeats: its height on the paper, its words, its count of pages."""
    return _counted(line.text, page), round(line.bottom / _PLACE_POINTS)


def _counted(text: str, page: int) -> str:
    """The text with its numbers as they would be on the first page if they count pages."""
    return _DIGITS.sub(lambda digits: str(int(digits.group()) - page), text)


def _blocks(lines: Sequence[Line]) -> Iterator[Block]:
    """Group lines into paragraphs."""
    pitch = _pitch(lines)
    block: list[Line] = []
    for line in lines:
        if block and _begins_block(block, line, pitch):
            yield Block(block)
            block = []
        block.append(line)
    if block:
        yield Block(block)


def _pitch(lines: Sequence[Line]) -> float:
    """The usual distance from one line to the next, in heights of the line."""
    pitches = [
        (above.end - below.bottom) / above.size
        for above, below in pairwise(lines)
        if 0.8 < (above.end - below.bottom) / above.size < 2.5
    ]
    return median(pitches) if pitches else 1.2


def _begins_block(block: Sequence[Line], line: Line, pitch: float) -> bool:
    previous = block[-1]
    ended = _SENTENCE_END.search(previous.text) is not None
    if not (previous.upright and line.upright):
        return ended
    if _BULLET.match(line.text) or (line.cells > 1) != (previous.cells > 1):
        return True
    scale = max(line.size, previous.size) / min(line.size, previous.size)
    if scale > _HEADING_SCALE or line.bold != previous.bold:
        return True
    distance = (previous.end - line.bottom) / previous.size
    if distance < 0:  # the next column, or a box beside
        return ended or not line.text[:1].islower()
    if distance > pitch * 1.3 + 0.1:
        return True
    right_edge = max(other.right for other in block)
    was_short = previous.right < right_edge - 0.25 * (right_edge - previous.left)
    indented = line.left > previous.left + line.size and len(block) > 1
    return ended and (was_short or indented)
