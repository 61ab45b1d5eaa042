"""Rich Text Format, by striprtf; headings by outline level or by the style sheet's names."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.errors import Rejected
from tasks.ingest.parse.elements import TEXT_LIMIT, Elements
from tasks.ingest.parse.encoding import read_bytes
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_HEADING_MARK = "\ue000"
_CELL_MARK = "|"
_OUTLINE = re.compile(r"\\outlinelevel([0-8])(?!\d)")
_HEADING_STYLE = re.compile(r"\\s(\d+)(?:[\\ ][^;{}]{0,200})?\b(?:heading|Heading) ([1-9]);")
_STYLE = re.compile(r"\\s(\d+)(?=[\s\\{}])(?![^;{}]{0,200};\})")
_TITLE = re.compile(r"\{\\title\s([^{}\\]*)\}")
_BULLET = re.compile(r"\s*[·•‣▪●◦-]\s*\t?")


def read_rtf(path: Path) -> Document:
    """Headings, paragraphs, list items and the rows of tables."""
    from striprtf.striprtf import rtf_to_text

    source = read_bytes(path, 4 * TEXT_LIMIT).decode("latin-1")
    try:
        text: str = rtf_to_text(  # type: ignore[no-untyped-call]
            _with_marks(source), encoding="cp1252", errors="replace"
        )
    except (ValueError, LookupError, IndexError, RecursionError) as error:
        raise Rejected(f"It is no rtf that can be read: {error}", "Save it again.") from error
    elements = Elements()
    _add_lines(elements, text.split("\n"))
    title = _TITLE.search(source)
    return elements.document("rtf", elements.believable(title.group(1) if title else None))


def _with_marks(source: str) -> str:
    """Put a mark and the level, as text, behind what makes a paragraph a heading."""
    styles = dict(_HEADING_STYLE.findall(source[: 1 << 20]))
    source = _OUTLINE.sub(lambda outline: _marked(outline, int(outline.group(1)) + 1), source)
    return _STYLE.sub(lambda style: _marked(style, int(styles.get(style.group(1), 0))), source)


def _marked(control: re.Match[str], level: int) -> str:
    return rf"{control.group()}\u57344?\'3{level} " if level else control.group()


def _add_lines(elements: Elements, lines: list[str]) -> None:
    rows: list[list[str]] = []
    for line in lines:
        cells = [cell.strip() for cell in line.split(_CELL_MARK)]
        if len(cells) > 2 and not cells[-1]:
            rows.append(cells[:-1])
            continue
        add_rows(elements, rows)
        rows = []
        if _HEADING_MARK in line:
            level = int(line[line.index(_HEADING_MARK) + 1])
            elements.heading(re.sub(f"{_HEADING_MARK}.", "", line), level)
        elif bullet := _BULLET.match(line):
            elements.item(line[bullet.end() :])
        else:
            elements.paragraph(line)
    add_rows(elements, rows)
