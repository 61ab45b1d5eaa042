"""Org: outline, lists, tables and blocks, line by line. Nothing is included, run or expanded."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_HEADING = re.compile(
    r"(\*+)\s+(?:(?:TODO|DONE|NEXT|WAITING|CANCELLED)\s+)?(?:\[#\w\]\s+)?(.*?)(?:\s+:[\w:@#%]+:)?\s*$"
)
_KEYWORD = re.compile(r"\s*#\+(\w+):\s*(.*)$")
_BLOCK = re.compile(r"\s*#\+begin_(\w+)", re.IGNORECASE)
_DRAWER = re.compile(r"\s*:(?:PROPERTIES|LOGBOOK|CLOCK):\s*$", re.IGNORECASE)
_ITEM = re.compile(r"(\s*)(?:[-+]|\s\*|\d+[.)])\s+(?:\[[ X-]\]\s+)?(.*)$")
_RULE = re.compile(r"\s*\|[-+|]+\s*$")
_LINK = re.compile(r"\[\[([^][]*)\](?:\[([^][]*)\])?\]")
_EMPHASIS = re.compile(r"(?<![\w*/=~+_])([*/=~+_])(?=\S)([^\n]{0,200}?\S)\1(?!\w)")
_HEADING_CHARACTERS = 1000
_VERBATIM_BLOCKS = frozenset(("src", "example", "export"))
_METADATA = {
    "author": "author",
    "date": "date",
    "description": "description",
    "language": "language",
}


def read_org(path: Path) -> Document:
    """Headings with their levels, paragraphs, items, tables, listings."""
    reader = _Reader()
    for line in read_text(path).split("\n"):
        reader.take(line)
    reader.flush()
    title = reader.metadata.pop("title", None)
    return reader.elements.document("org", title, reader.metadata)


class _Reader:
    """Collects lines until the block that they belong to is complete."""

    def __init__(self) -> None:
        self.elements = Elements()
        self.metadata: dict[str, str] = {}
        self._paragraph: list[str] = []
        self._is_item = False
        self._rows: list[list[str]] = []
        self._header_rows: int | None = None
        self._code: list[str] = []
        self._until = ""

    def take(self, line: str) -> None:
        if self._until:
            self._take_inside(line)
        elif line.startswith("*") and (heading := _HEADING.match(line[:_HEADING_CHARACTERS])):
            self.flush()
            self.elements.heading(_plain(heading.group(2)), len(heading.group(1)))
        elif block := _BLOCK.match(line):
            self.flush()
            if block.group(1).lower() in _VERBATIM_BLOCKS:
                self._until = f"#+end_{block.group(1).lower()}"
        elif _DRAWER.match(line):
            self.flush()
            self._until = ":end:"
        elif line.lstrip().startswith("|"):
            self._take_row(line)
        elif keyword := _KEYWORD.match(line):
            self._take_keyword(keyword.group(1).lower(), keyword.group(2))
        else:
            self._take_text(line)

    def flush(self) -> None:
        """Write what is complete."""
        text = _plain(" ".join(self._paragraph))
        if self._is_item:
            self.elements.item(text)
        else:
            self.elements.paragraph(text)
        add_rows(self.elements, self._rows, self._header_rows)
        self.elements.code("\n".join(self._code))
        self._paragraph, self._rows, self._code = [], [], []
        self._is_item, self._header_rows = False, None

    def _take_inside(self, line: str) -> None:
        """A line of a verbatim block or of a drawer, whose lines are not for readers."""
        if line.strip().lower() == self._until:
            self._until = ""
            self.flush()
        elif self._until != ":end:":
            self._code.append(line.removeprefix(","))

    def _take_row(self, line: str) -> None:
        if not self._rows:
            self.flush()
        if _RULE.match(line):
            self._header_rows = self._header_rows or len(self._rows) or None
        else:
            self._rows.append([_plain(cell) for cell in line.strip().strip("|").split("|")])

    def _take_keyword(self, name: str, value: str) -> None:
        if name == "title":
            self.metadata["title"] = f"{self.metadata.get('title', '')} {value}".strip()
        elif name in _METADATA:
            self.metadata[_METADATA[name]] = value
        elif name == "caption":
            self.elements.paragraph(_plain(value), "FigureCaption")

    def _take_text(self, line: str) -> None:
        text = line.strip()
        if self._rows or not text:
            self.flush()
        if not text or text == "#" or text.startswith(("# ", "#+end_", "#+END_")):
            return
        if text.startswith(": ") or text == ":":
            if not self._code:
                self.flush()
            self._code.append(text[2:])
            return
        if self._code:
            self.flush()
        if item := _ITEM.match(line):
            self.flush()
            self._is_item = True
            text = item.group(2)
        elif self._is_item and not line.startswith(" "):
            self.flush()
        self._paragraph.append(text)


def _plain(text: str) -> str:
    """The text without the marks of links and emphasis."""
    text = _LINK.sub(lambda link: link.group(2) or link.group(1), text)
    return _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text)).strip()
