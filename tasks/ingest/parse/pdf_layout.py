"""From the lines of a pdf to its paragraphs, headings and items, by size and place."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from tasks.ingest.parse.content import Elements
from tasks.ingest.parse.pdf_lines import Line

Outline = Mapping[int, Mapping[str, int]]
"""By page (from 0): each bookmark's text, folded, and its level from 1."""

_HEADING_WORDS = 16
_HEADING_SCALE = 1.12
_HEADING_LINES = 3
_SIZES = 4
"""How many sizes of headings are told apart."""
_RUNNING_SHARE = 0.4
_RUNNING_PAGES = 3
_EDGE_LINES = 2
_BULLET = re.compile(r"(?:[•‣▪●◦·–—○■□➢✓*-]|\(?\d{1,2}[.)]|\(?[a-z][.)]|\([ivx]+\))\s+")
_NUMBERED = re.compile(r"(\d+(?:\.\d+)*)\.?\s+\S")
_NUMBERING = re.compile(
    r"\W*(?:(?:chapter|section|part|appendix)\s+)?(?:\d+(?:\.\d+)*|[A-Z]|[IVX]+)[.:)]?\s+", re.I
)
_PAGE_NUMBER = re.compile(
    r"\W*(?:page\s*)?(?:\d{1,4}|[ivxlc]{1,6})(?:\s*(?:of|/|von)\s*\d{1,4})?\W*$", re.I
)
_SENTENCE_END = re.compile(r"[.!?:;。！？]['\"”’)\]]*$")
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_DIGITS = re.compile(r"\d+")


@dataclass(slots=True)
class Block:
    """Lines that belong together."""

    lines: list[Line]

    @property
    def text(self) -> str:
        return " ".join(line.text for line in self.lines)


def add_pages(elements: Elements, pages: Sequence[Sequence[Line]], outline: Outline) -> None:
    """Append the blocks of all pages, each with its page number from 1."""
    running = _running_lines(pages)
    headings = _Headings(pages, outline)
    seen: set[str] = set()
    for index, lines in enumerate(pages):
        elements.page = index + 1
        body, margin = _without_running(lines, running)
        for line in margin:
            if not _PAGE_NUMBER.match(line.text) and _masked(line.text) not in seen:
                elements.paragraph(line.text, "Header")
            seen.add(_masked(line.text))
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
    words = "".join(filter(str.isalnum, _NUMBERING.sub("", text))).lower()
    return words or "".join(filter(str.isalnum, text)).lower()


class _Headings:
    """Tells headings: by the pdf's own outline where it has one, else by size and weight."""

    def __init__(self, pages: Sequence[Sequence[Line]], outline: Outline) -> None:
        self._outline = outline if _is_borne_out(outline, pages) else {}
        sizes: Counter[float] = Counter()
        bold = total = 0
        for line in (line for lines in pages for line in lines):
            sizes[line.size] += len(line.text)
            bold += len(line.text) * line.bold
            total += len(line.text)
        self._body = sizes.most_common(1)[0][0] if sizes else 0.0
        self._bold_stands_out = bold < total * 0.2
        larger = Counter(
            line.size
            for lines in pages
            for line in lines
            if line.size > self._body * _HEADING_SCALE and _is_short(line.text)
        )
        self._sizes = _clusters(larger)

    def depth(self, page: int, block: Block) -> int | None:
        """The block's level as a heading; None for a block that is none."""
        text = block.text
        if len(block.lines) > _HEADING_LINES or not _is_short(text):
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


def _is_borne_out(outline: Outline, pages: Sequence[Sequence[Line]]) -> bool:
    """Whether the pages show at least half of the bookmarks."""
    found = total = 0
    for page, titles in outline.items():
        shown = [fold(line.text) for line in pages[page]] if page < len(pages) else []
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


def _running_lines(pages: Sequence[Sequence[Line]]) -> frozenset[str]:
    """The texts, digits masked, that stand at the edge of many pages."""
    edges: Counter[str] = Counter()
    for lines in pages:
        edges.update({_masked(line.text) for line in (*lines[:_EDGE_LINES], *lines[-_EDGE_LINES:])})
    least = max(_RUNNING_PAGES, len(pages) * _RUNNING_SHARE)
    return frozenset(text for text, count in edges.items() if count >= least)


def _without_running(
    lines: Sequence[Line], running: frozenset[str]
) -> tuple[list[Line], list[Line]]:
    """The lines of the page's body, and those of its running head and foot."""
    body: list[Line] = []
    margin: list[Line] = []
    for index, line in enumerate(lines):
        at_edge = index < _EDGE_LINES or index >= len(lines) - _EDGE_LINES
        is_number = len(lines) > _EDGE_LINES and _PAGE_NUMBER.match(line.text) is not None
        is_running = at_edge and (
            _masked(line.text) in running or (is_number and index in (0, len(lines) - 1))
        )
        (margin if is_running else body).append(line)
    return body, margin


def _masked(text: str) -> str:
    return _DIGITS.sub("0", text)


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
