"""OpenDocument texts and presentations, straight from their XML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.ingest.parse.archive import open_archive, parse_xml, read_part
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_DRAW = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_PRESENTATION = "{urn:oasis:names:tc:opendocument:xmlns:presentation:1.0}"
_OFFICE = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"

_UNSEEN = (f"{_TEXT}tracked-changes", f"{_TEXT}table-of-content", f"{_OFFICE}annotation")
_REPEAT_LIMIT = 100
_METADATA = {
    "title": "title",
    "subject": "subject",
    "initial-creator": "author",
    "keyword": "keywords",
}


def read_text_document(path: Path) -> Document:
    """odt: headings by outline level, paragraphs, lists, tables, notes, listings."""
    content, metadata = _load(path)
    elements = Elements()
    reader = _Reader(elements, _parent_styles(content))
    reader.add_blocks(content.find(f".//{_OFFICE}text"))
    return elements.document("odt", elements.believable(metadata.pop("title", None)), metadata)


def read_presentation(path: Path) -> Document:
    """odp: one section a slide, its title first, the speaker's notes last."""
    content, metadata = _load(path)
    elements = Elements()
    reader = _Reader(elements, _parent_styles(content))
    for elements.page, slide in enumerate(content.iter(f"{_DRAW}page"), start=1):
        frames = list(slide)
        titles = [frame for frame in frames if frame.get(f"{_PRESENTATION}class") == "title"]
        title = " ".join(
            filter(None, (_text(block) for frame in titles for block in frame.iter(f"{_TEXT}p")))
        )
        elements.section = None if title else f"Slide {elements.page}"
        elements.heading(title, 1)
        for frame in frames:
            if frame not in titles:
                reader.add_blocks(frame)
    return elements.document("odp", elements.believable(metadata.pop("title", None)), metadata)


def _load(path: Path) -> tuple[Any, dict[str, Any]]:
    with open_archive(path) as archive:
        content = parse_xml(read_part(archive, "content.xml"), "Its content")
        if "meta.xml" not in archive.namelist():
            return content, {}
        meta = parse_xml(read_part(archive, "meta.xml"), "Its list of properties")
    stated = ((_METADATA.get(_name(node)), (node.text or "").strip()) for node in meta.iter())
    return content, {key: value for key, value in stated if key and value}


def _parent_styles(content: Any) -> dict[str, str]:
    """The named style that each automatic style stands for."""
    return {
        style.get(f"{_STYLE}name", ""): style.get(f"{_STYLE}parent-style-name", "")
        for style in content.iter(f"{_STYLE}style")
    }


class _Reader:
    """Walks the blocks of a text or a slide."""

    def __init__(self, elements: Elements, parent_styles: dict[str, str]) -> None:
        self._elements = elements
        self._parent_styles = parent_styles
        self._code: list[str] = []

    def add_blocks(self, root: Any) -> None:
        """Append the blocks below `root`; a stack of its own lets lists nest as they like."""
        stack: list[tuple[Any, bool]] = [] if root is None else [(root, False)]
        while stack:
            node, in_item = stack.pop()
            if not isinstance(node.tag, str) or node.tag in _UNSEEN:
                continue
            if node.tag == f"{_TEXT}p" and self._style(node).startswith("Preformatted"):
                self._code.append(_text(node))
                continue
            self._flush_code()
            if node.tag == f"{_TEXT}h":
                level = node.get(f"{_TEXT}outline-level", "1")
                self._elements.heading(_text(node), int(level) if level.isdecimal() else 1)
            elif node.tag == f"{_TEXT}p":
                self._add_paragraph(node, in_item)
            elif node.tag == f"{_TABLE}table":
                add_rows(self._elements, _rows(node))
                continue
            else:
                inside = in_item or node.tag == f"{_TEXT}list-item"
                stack.extend((child, inside) for child in reversed(node))
                continue
            stack.extend((box, in_item) for box in reversed(list(_boxes(node))))
        self._flush_code()

    def _add_paragraph(self, node: Any, in_item: bool) -> None:
        style = self._style(node)
        if style == "Title":
            self._elements.heading(_text(node), 1)
        elif in_item:
            self._elements.item(_text(node))
        else:
            self._elements.paragraph(_text(node))

    def _style(self, node: Any) -> str:
        name = node.get(f"{_TEXT}style-name", "")
        return self._parent_styles.get(name) or name

    def _flush_code(self) -> None:
        """Preformatted paragraphs that follow each other are one listing."""
        if self._code:
            self._elements.code("\n".join(self._code))
            self._code = []


def _boxes(node: Any) -> Iterator[Any]:
    """What stands beside a paragraph's own text: its notes and text boxes."""
    for kind in (f"{_TEXT}note-body", f"{_DRAW}text-box"):
        yield from node.iter(kind)


def _text(node: Any) -> str:
    """A paragraph's own text, with spaces, tabs and line breaks written out."""
    parts: list[str] = []
    stack: list[Any] = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            parts.append(part)
            continue
        kind = _name(part)
        if part is not node and kind in ("note", "frame", "annotation", "text-box"):
            continue
        if kind == "s":
            count = part.get(f"{_TEXT}c", "1")
            parts.append(" " * min(int(count) if count.isdecimal() else 1, _REPEAT_LIMIT))
        elif kind == "tab":
            parts.append("\t")
        elif kind == "line-break":
            parts.append("\n")
        for child in reversed(part):
            stack += ([child.tail] if child.tail else []) + [child]
        stack += [part.text] if part.text else []
    return "".join(parts)


def _rows(table: Any) -> Iterator[list[str]]:
    for row in table.iter(f"{_TABLE}table-row"):
        if next(row.iterancestors(f"{_TABLE}table")) is not table:
            continue  # of a table in a cell, whose text stands in the cell
        cells: list[str] = []
        for cell in row:
            texts = (_text(p) for p in cell.iter(f"{_TEXT}p", f"{_TEXT}h"))
            repeats = cell.get(f"{_TABLE}number-columns-repeated", "1")
            count = min(int(repeats) if repeats.isdecimal() else 1, _REPEAT_LIMIT)
            cells += [" ".join(texts)] * count
        if any(cells):
            yield cells


def _name(node: Any) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""
