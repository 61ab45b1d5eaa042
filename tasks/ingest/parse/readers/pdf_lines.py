"""The lines of a pdf's pages: pdfium's text with the place and size of each line."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pypdfium2.raw as pdfium

_TILT = 0.1
"""Radians beyond which text does not run from left to right."""
_NAME_BYTES = 128
_BOLD = re.compile(rb"bold|black|heavy|demi|cmbx|ecbx|sfbx|medi\b|-b\b", re.IGNORECASE)
_CELL_GAP = 1.5
"""How many times its size parts a line's pieces into cells."""

_SPARSE = 0.62
"""A line that takes more than this share of its size a character may hold such gaps."""
_SPACE = re.compile(r"\s+")

_MEANT = {0xFFFE: None, 0x02: None, **dict.fromkeys((0xF0B7, 0xF0A7, 0xF0D8, 0xF076, 0xF0FC), "•")}
"""pdfium's mark of a word parted at the line's end, and bullets of symbol fonts."""


@dataclass(slots=True)
class Line:
    """One line of text; coordinates in points from the page's lower left corner.

    A line that ends in a parted word comes together with the next: `bottom` is that of its first
    line on the page, `end` that of its last.

    `size` is that of its font, `cells` how many pieces stand beside each other with wide gaps
    (more than one in the row of a table); `upright` is False where text is turned and the
    coordinates say nothing about reading order.
    """

    text: str
    left: float
    right: float
    bottom: float
    top: float
    end: float
    size: float
    bold: bool
    upright: bool
    cells: int = 1


@dataclass(frozen=True, slots=True)
class Page:
    """One page's lines, and where its paper ends below and above."""

    lines: Sequence[Line]
    low: float
    high: float


def read_page(page: Any) -> Page:
    """The lines of one of pdfium's pages."""
    textpage = page.get_textpage()
    _, low, _, high = page.get_cropbox()
    lines = page_lines(textpage)
    textpage.close()
    return Page(lines, low, high)


def page_lines(textpage: Any) -> list[Line]:
    """The visual lines of a page in pdfium's reading order."""
    lines: list[Line] = []
    for fragment in _fragments(textpage):
        if lines and _continues(lines[-1], fragment):
            _append(lines[-1], fragment)
        else:
            lines.append(fragment)
    return lines


def _fragments(textpage: Any) -> Iterator[Line]:
    """What pdfium sets on lines of their own: superscripts and table cells too."""
    text = textpage.get_text_range()
    position = 0
    for piece in text.split("\r\n"):
        stripped = piece.strip()
        if stripped:
            start = position + piece.index(stripped[0])
            yield _measured(textpage.raw, stripped, start)
        position += len(piece) + 2


def _measured(textpage: Any, text: str, start: int) -> Line:
    """The line that the text from `start` on makes; a bullet says nothing of its size."""
    word = next((i for i, character in enumerate(text) if character.isalnum()), 0)
    places = (start, start + word, start + len(text) - 1)
    first, typical, last = (
        max(pdfium.FPDFText_GetCharIndexFromTextIndex(textpage, place), 0) for place in places
    )
    left, right, bottom, top = _box(textpage, first)
    _, last_right, last_bottom, _ = _box(textpage, last)
    size = _font_size(textpage, typical)
    angle = pdfium.FPDFText_GetCharAngle(textpage, first)
    turn = angle % (2 * math.pi) if angle >= 0 else 0.0
    right = max(right, last_right)
    cells = [text]
    if right - left > size * _SPARSE * len(text):
        cells = _cells(textpage, text, first, size)
    return Line(
        " | ".join(cells).translate(_MEANT),
        left,
        right,
        bottom,
        top,
        last_bottom if last_bottom < bottom - size / 2 else bottom,
        size,
        _is_bold(textpage, typical) and _is_bold(textpage, last),
        min(turn, 2 * math.pi - turn) < _TILT,
        len(cells),
    )


def _cells(textpage: Any, text: str, first: int, size: float) -> list[str]:
    """The pieces of a line, parted where a space is as wide as a gap between columns."""
    cells: list[str] = []
    start = 0
    for space in _SPACE.finditer(text):
        before, after = first + space.start() - 1, first + space.end()
        if _box(textpage, after)[0] - _box(textpage, before)[1] > size * _CELL_GAP:
            cells.append(text[start : space.start()])
            start = space.end()
    return [*cells, text[start:]]


def _font_size(textpage: Any, index: int) -> float:
    """The size in which a character is shown: its font's, scaled by the text's matrix."""
    matrix = pdfium.FS_MATRIX()
    size = float(pdfium.FPDFText_GetFontSize(textpage, index))
    if pdfium.FPDFText_GetMatrix(textpage, index, matrix):
        size *= math.hypot(matrix.c, matrix.d) or 1.0
    return round(max(size, 0.1), 1)


def _box(textpage: Any, index: int) -> tuple[float, float, float, float]:
    box = pdfium.FS_RECTF()
    pdfium.FPDFText_GetLooseCharBox(textpage, index, box)
    return box.left, box.right, box.bottom, box.top


def _is_bold(textpage: Any, index: int) -> bool:
    if pdfium.FPDFText_GetFontWeight(textpage, index) >= 600:
        return True
    name = ctypes.create_string_buffer(_NAME_BYTES)
    flags = ctypes.c_int()
    pdfium.FPDFText_GetFontInfo(textpage, index, name, _NAME_BYTES, flags)
    return _BOLD.search(name.value) is not None


def _continues(line: Line, fragment: Line) -> bool:
    """Whether the fragment stands beside the line, to its right."""
    if not (line.upright and fragment.upright):
        return False
    overlap = min(line.top, fragment.top) - max(line.bottom, fragment.bottom)
    smaller = min(line.top - line.bottom, fragment.top - fragment.bottom)
    return overlap > 0.5 * smaller and fragment.left > line.right - line.size / 2


def _append(line: Line, fragment: Line) -> None:
    gap = fragment.left - line.right
    if gap > line.size * _CELL_GAP:
        line.text += f" | {fragment.text}"
        line.cells += 1
    else:
        line.text += ("" if gap < line.size * 0.2 else " ") + fragment.text
    line.right = max(line.right, fragment.right)
