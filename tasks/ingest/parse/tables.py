"""Rows of a table to text that is found and understood without the table around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from zlib import crc32

from tasks.ingest.parse.elements import Elements, spaced

GROUP_CHARACTERS = 1000
"""The most text of rows in one element."""

_PEEK_ROWS = 20
_LABEL_CHARACTERS = 80
_SENTENCE_ENDS = (".", ";", "!", "?")
_NUMBER = re.compile(r"[-+(]?[\W_]*\d[\d\s.,:/%()eE+-]*\W*$")


def add_rows(
    elements: Elements, rows: Iterable[Sequence[str]], header_rows: int | None = None
) -> None:
    """Write the rows of one table as `header: value` lines, grouped into elements.

    `header_rows` says how many rows at the top are headers; None: told by their looks. Single
    cells above the table become paragraphs. A group ends where the text of a row says so (its
    checksum), so that a row inserted above moves few groups.
    """
    iterator = iter(rows)
    head = [list(row) for row in islice(iterator, _PEEK_ROWS)]
    if header_rows is None:
        for label in _pop_labels(head):
            elements.paragraph(label)
        header_rows = 1 if _has_header(head) else 0
        if len(head) < _PEEK_ROWS and max(map(_filled, head), default=0) < 2:
            elements.paragraph("\n".join(cell for row in head for cell in row if cell))
            return
    if len(head) <= header_rows:
        header_rows = 0
    header = _merge_headers(head[:header_rows])
    if len(header) > 1 and len(set(header)) == 1:  # a title across all columns
        elements.paragraph(header[0])
        header = []
    first = head[header_rows:]
    body = (row_line(header, row) for row in chain(first, iterator))
    _write_groups(elements, chain([_unsaid(header, first)], body))


def row_line(header: Sequence[str], row: Sequence[str]) -> str:
    """One row as `header: value; header: value`; cells without a header stand alone."""
    cells = [spaced(cell) for cell in row]
    filled = [(column, cell) for column, cell in enumerate(cells) if cell]
    if not header:
        return (": " if len(row) == 2 else " | ").join(cell for _, cell in filled)
    if _is_across(cells):
        return filled[0][1]
    labels = ((header[i] if i < len(header) else "", cell) for i, cell in filled)
    return "; ".join(
        f"{label}: {cell}" if label and label != cell else cell for label, cell in labels
    )


def is_number(text: str) -> bool:
    """Whether a cell holds a number, a date or a share rather than a name."""
    return len(text) <= _LABEL_CHARACTERS and _NUMBER.match(text) is not None


def _unsaid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The labels of columns that stand beside no value of these rows."""
    values = ([spaced(cell) for cell in row] for row in rows)
    said = {i for row in values if not _is_across(row) for i, cell in enumerate(row) if cell}
    return " | ".join(label for i, label in enumerate(header) if label and i not in said)


def _is_across(row: Sequence[str]) -> bool:
    """Whether the row is a line across the table rather than values of its columns."""
    return _filled(row) == 1 and len(row) > 2


def _write_groups(elements: Elements, lines: Iterable[str]) -> None:
    group: list[str] = []
    size = 0
    for line in filter(None, lines):
        if group and size + len(line) > GROUP_CHARACTERS:
            elements.rows("\n".join(group))
            group, size = [], 0
        group.append(line)
        size += len(line)
        if size > GROUP_CHARACTERS // 2 and crc32(line.encode(errors="replace")) % 4 == 0:
            elements.rows("\n".join(group))
            group, size = [], 0
    elements.rows("\n".join(group))


def _pop_labels(head: list[list[str]]) -> Iterable[str]:
    """Take rows of a single filled cell off the top of a table that is wider."""
    while len(head) > 1 and _filled(head[0]) == 1 and max(map(_filled, head[1:])) > 1:
        yield next(filter(None, head.pop(0)))


def _has_header(head: list[list[str]]) -> bool:
    """Whether the first row names the columns: distinct short words over each filled column."""
    if len(head) < 2:
        return False
    labels = [cell for cell in head[0] if cell]
    widest = max(map(_filled, head))
    if len(labels) < 2 or len(labels) < widest - 1:
        return False
    if any(is_number(cell) or len(cell) > _LABEL_CHARACTERS for cell in labels):
        return False
    if len(set(labels)) < len(labels) or any(cell.endswith(_SENTENCE_ENDS) for cell in labels):
        return False
    return widest > 2 or any(is_number(cell) for row in head[1:] for cell in row if cell)


def _merge_headers(rows: list[list[str]]) -> list[str]:
    """One label a column from one or several header rows, outermost first."""
    width = max(map(len, rows), default=0)
    columns = ([row[i] for row in rows if i < len(row) and row[i]] for i in range(width))
    texts = (" ".join(" ".join(dict.fromkeys(labels)).split()) for labels in columns)
    return [text.removesuffix(":") for text in texts]


def _filled(row: Sequence[str]) -> int:
    return sum(1 for cell in row if cell)
