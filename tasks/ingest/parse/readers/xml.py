"""XML: prose as paragraphs, titles as headings, data as `path: value` lines by the record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.entities import html5
from pathlib import Path
from typing import Any

from tasks.ingest.parse.archive import parse_xml
from tasks.ingest.parse.elements import TEXT_LIMIT, Elements
from tasks.ingest.parse.encoding import as_text, read_bytes
from tasks.ingest.parse.readers.html import add_html
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']([\w.-]+)")
_BARE_AMPERSAND = re.compile(r"&(?!(?:#\d+|#x[0-9a-fA-F]+|amp|lt|gt|quot|apos);)(\w+;)?")
_CDATA = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_MARKUP = re.compile(r"<(?:p|br|div|ul|a|b|i|em|strong|table)\b[^>]*>", re.IGNORECASE)
_HEADING_TAGS = frozenset(
    ("title", "heading", "head", "h1", "h2", "h3", "h4", "h5", "h6", "invention-title")
)
_PROSE_TAGS = frozenset(
    ("p", "para", "simpara", "paragraph", "abstract", "description", "summary", "note", "text")
)
_TITLE_TAGS = frozenset(("title", "article-title", "invention-title", "title-of-invention"))
_ROW_TAGS = ("{*}row", "{*}tr")
_NAMING_ATTRIBUTES = ("name", "key", "id", "label")
_TELLING_ATTRIBUTES = frozenset(("name", "key", "value", "label", "title", "content", "text"))
_PROSE_CHARACTERS = 120
_RECORD_VALUES = 16


def read_xml(path: Path) -> Document:
    """Prose as paragraphs, titles as headings, data as `tag: value` lines, a record an element."""
    data = read_bytes(path, 4 * TEXT_LIMIT)
    declared = _ENCODING.search(data[:200])
    source = as_text(data, declared.group(1).decode() if declared else None)
    elements = Elements()
    if re.search(r"<html[\s>]", source[:1000], re.IGNORECASE):
        page = add_html(elements, source)
        return elements.document("xml", page.title(), page.metadata)
    source = _DECLARATION.sub("", source, count=1)
    root = parse_xml(_without_entities(source).encode(), "It")
    _add_tree(elements, root)
    titles = ("".join(node.itertext()) for node in root.iter() if _tag(node) in _TITLE_TAGS)
    return elements.document("xml", next(titles, None))


def _without_entities(source: str) -> str:
    """Named entities as their characters, and an ampersand that begins none as itself."""
    if "&" not in source:
        return source
    kept = _CDATA.findall(source)
    parts = (_BARE_AMPERSAND.sub(_character, part) for part in _CDATA.split(source))
    return "".join(part + cdata for part, cdata in zip(parts, [*kept, ""], strict=True))


def _character(match: re.Match[str]) -> str:
    name = match.group(1) or ""
    return html5.get(name) or f"&amp;{name}"


def _add_tree(elements: Elements, root: Any) -> None:
    """Walk the tree in reading order, with a stack of its own: XML nests deeper than Python."""
    stack: list[tuple[Any, int]] = [(root, 1)]
    while stack:
        node, depth = stack.pop()
        if isinstance(node, str):
            elements.paragraph(" ".join(node.split()))
            continue
        record = node if isinstance(node, list) else _record(node)
        if record is not None:
            elements.rows("\n".join(record))
        elif len(node) == 0 or _is_prose(node):
            _add_text(elements, node, depth)
        elif _tag(node) == "table":
            rows = (row for row in node.iter(*_ROW_TAGS))
            add_rows(elements, ([" ".join(cell.itertext()) for cell in row] for row in rows))
        else:
            titled = any(_tag(child) in _HEADING_TAGS for child in node)
            stack.extend(
                reversed([(part, depth + (titled and _is_section(part))) for part in _parts(node)])
            )


def _is_section(part: Any) -> bool:
    return not isinstance(part, str | list) and len(part) > 0


def _parts(node: Any) -> Iterator[Any]:
    """The element's texts and children; values that follow each other are one record."""
    values: list[str] = []
    if (node.text or "").strip():
        yield node.text
    for child in node:
        record = _record(child) if len(child) == 0 else None
        if record is not None:
            values += record
        else:
            if values:
                yield values
                values = []
            yield child
        if (child.tail or "").strip():
            yield child.tail
    if values:
        yield values


def _record(node: Any) -> list[str] | None:
    """A small subtree of short values as `path: value` lines; None where it holds prose."""
    lines: list[str] = []
    leaves = 0
    stack: list[tuple[Any, str]] = [(node, _tag(node) if len(node) == 0 else "")]
    while stack:
        child, path = stack.pop()
        if _tag(child) in _HEADING_TAGS or _tag(child) in _PROSE_TAGS or _has_tails(child):
            return None
        if len(child) > _RECORD_VALUES:
            return None
        if len(child):
            stack.extend((leaf, f"{path}.{_tag(leaf)}".lstrip(".")) for leaf in reversed(child))
            continue
        leaves += 1
        line = _line(child, path)
        if line is None or leaves > _RECORD_VALUES:
            return None
        lines += [line] if line else []
    return lines


def _line(node: Any, path: str) -> str | None:
    """One value as `path: value`; None where it is long, "" for nothing."""
    text = " ".join((node.text or "").split())
    name = next((node.get(key) for key in _NAMING_ATTRIBUTES if node.get(key)), "")
    if not text and _TELLING_ATTRIBUTES.intersection(node.attrib):
        text = "; ".join(f"{key}: {value}" for key, value in node.attrib.items() if value != name)
    if len(text) > _PROSE_CHARACTERS:
        return None if node.text else ""
    return f"{path} {name}".rstrip() + f": {text}" if text else ""


def _has_tails(node: Any) -> bool:
    """Whether text stands between the element's children."""
    return len(node) > 0 and bool(
        (node.text or "").strip() or any((c.tail or "").strip() for c in node)
    )


def _add_text(elements: Elements, node: Any, depth: int) -> None:
    text = "".join(node.itertext())
    if _tag(node) in _HEADING_TAGS:
        elements.heading(text, depth)
    elif len(node) == 0 and _MARKUP.search(text):
        add_html(elements, text)
    else:
        elements.paragraph(" ".join(text.split()))


def _is_prose(node: Any) -> bool:
    """Whether text and tags alternate within the element: a paragraph with inline markup."""
    if _tag(node) in _HEADING_TAGS:
        return True
    return _has_tails(node) and not any(
        _tag(child) in _PROSE_TAGS for child in node.iterdescendants()
    )


def _tag(node: Any) -> str:
    tag: str = node.tag if isinstance(node.tag, str) else ""
    return tag.rpartition("}")[2]
