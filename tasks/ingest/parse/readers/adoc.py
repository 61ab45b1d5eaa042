"""AsciiDoc: its outline, lists and listings read as Markdown's, its tables as tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.readers.markdown import add_markdown
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_TABLE = re.compile(r"^\|===[ \t]*\n(.*?)^\|===[ \t]*$", re.DOTALL | re.MULTILINE)
_ATTRIBUTE = re.compile(r":([\w-]+):\s*(.*)$")
_HEADING = re.compile(r"(={1,6})\s+(.+?)(?:\s+=+)?$")
_LISTING = re.compile(r"(?:-{4,}|\.{4,})\s*$")
_BLOCK_EDGE = re.compile(
    r"(?:={4,}|\*{4,}|_{4,}|--|\+|<<<|'''|\[[^\]]*\]|(?:include|image)::.*)\s*$"
)
_BLOCK_TITLE = re.compile(r"\.(?=[^\s.])(.*)$")
_ITEM = re.compile(r"(\*{1,5}|\.{1,5}|-)\s+(.*)$")
_LINK = re.compile(
    r"(?:link:|xref:|mailto:|https?://)[^\s\[]{0,300}\[([^\]]{1,300})\]|<<[^,>]{0,300},\s*([^>]{0,300})>>"
)
_METADATA = ("author", "description", "keywords")


def read_adoc(path: Path) -> Document:
    """Headings, paragraphs, items, listings and tables; nothing is included."""
    source = read_text(path)
    elements = Elements()
    position = 0
    for table in _TABLE.finditer(source):
        _add_text(elements, source[position : table.start()])
        _add_table(elements, table.group(1))
        position = table.end()
    _add_text(elements, source[position:])
    attributes = (_ATTRIBUTE.match(line) for line in source[:4096].split("\n"))
    stated = {match.group(1): match.group(2).strip() for match in attributes if match}
    return elements.document("adoc", None, {name: stated.get(name) for name in _METADATA})


def _add_text(elements: Elements, text: str) -> None:
    add_markdown(elements, "\n".join(_as_markdown(text.split("\n"))))


def _as_markdown(lines: list[str]) -> Iterator[str]:
    listing = ""
    for line in lines:
        if _LISTING.match(line) and listing in ("", line.strip()):
            listing = "" if listing else line.strip()
            yield "~~~~~~~~"
        elif listing:
            yield line
        elif heading := _HEADING.match(line):
            yield "#" * len(heading.group(1)) + " " + heading.group(2)
        elif _BLOCK_EDGE.match(line) or line.startswith("//") or _ATTRIBUTE.match(line):
            yield ""
        elif item := _ITEM.match(line):
            yield "    " * (len(item.group(1)) - 1) + "- " + _linked(item.group(2))
        elif title := _BLOCK_TITLE.match(line):
            yield from ("", _linked(title.group(1)), "")
        else:
            yield _linked(line)


def _linked(line: str) -> str:
    return _LINK.sub(lambda link: link.group(1) or link.group(2), line)


def _add_table(elements: Elements, source: str) -> None:
    """Rows of `|a |b`, or one cell a line; the first row is a header if an empty line follows."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:]] for line in source.split("\n") if "|" in line
    ]
    width = max(map(len, rows), default=0)
    if rows and len(rows[0]) > 1 and all(len(row) == 1 for row in rows[1:]):
        cells = [cell for row in rows[1:] for cell in row]
        width = len(rows[0])
        rows = [rows[0], *(cells[i : i + width] for i in range(0, len(cells), width))]
    named = re.match(r"\s*\|[^\n]*\n[ \t]*\n", source) is not None and width > 1
    add_rows(elements, rows, header_rows=1 if named else None)
