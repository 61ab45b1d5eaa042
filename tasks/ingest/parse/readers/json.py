"""JSON, JSON Lines and Jupyter notebooks: data as `path: value` lines, a record an element."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.readers.markdown import add_markdown
from tasks.ingest.parse.tables import GROUP_CHARACTERS
from tasks.records import Document

_RECORD_END = object()


def read_json(path: Path) -> Document:
    """One element a record, one line a value; what is no JSON after all is read as code."""
    text = read_text(path)
    elements = Elements()
    try:
        value = json.loads(text)
    except RecursionError:
        raise Rejected("It is nested too deeply", "Flatten it, or save it as text.") from None
    except ValueError:
        elements.code(text)
        return elements.document("json")
    fields = value if isinstance(value, dict) else {}
    if isinstance(fields.get("cells"), list):
        _add_notebook(elements, fields["cells"])
    else:
        _add_records(elements, value)
    title = fields.get("title")
    return elements.document("json", title if isinstance(title, str) else None)


def read_json_lines(path: Path) -> Document:
    """One record a line; a line that is no JSON stays as it is."""
    elements = Elements()
    for line in read_text(path).split("\n"):
        try:
            _add_records(elements, json.loads(line) if line.strip() else None)
        except (ValueError, RecursionError):
            elements.paragraph(line)
    return elements.document("jsonl")


def _add_notebook(elements: Elements, cells: list[Any]) -> None:
    """The cells that people wrote; outputs change with every run."""
    for cell in cells:
        source = cell.get("source", "") if isinstance(cell, dict) else ""
        text = "".join(map(str, source)) if isinstance(source, list) else str(source)
        if isinstance(cell, dict) and cell.get("cell_type") == "markdown":
            add_markdown(elements, text)
        else:
            elements.code(text)


def _add_records(elements: Elements, value: object) -> None:
    """An element for each object of a list; what stands outside of such lists is one more."""
    record: list[str] = []
    size = 0
    for path, text in _leaves(value):
        if text is None or size > GROUP_CHARACTERS:
            elements.rows("\n".join(record))
            record, size = [], 0
        if text is not None:
            line = f"{path}: {text}" if path else text
            record.append(" ".join(line.split()))
            size += len(line)
    elements.rows("\n".join(record))


def _leaves(value: object) -> Iterator[tuple[str, str | None]]:
    """(dotted path, text) of each value, in order; the text is None where a record ends."""
    stack: list[tuple[str, object]] = [("", value)]
    while stack:
        path, node = stack.pop()
        if node is _RECORD_END:
            yield path, None
        elif isinstance(node, dict):
            prefix = f"{path}." if path else ""
            stack.extend((prefix + str(key), child) for key, child in reversed(node.items()))
        elif isinstance(node, list) and any(isinstance(child, dict | list) for child in node):
            for child in reversed(node):
                stack += ((path, _RECORD_END), (path, child))
            stack.append((path, _RECORD_END))
        elif isinstance(node, list):
            if node:
                yield path, ", ".join(map(_scalar, node))
        elif node not in (None, ""):
            yield path, _scalar(node)


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
