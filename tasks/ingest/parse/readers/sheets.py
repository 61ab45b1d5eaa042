"""Spreadsheets by calamine, and delimited text by the csv module: a line a row."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import StringIO
from itertools import chain, groupby
from pathlib import Path
from zipfile import is_zipfile

from tasks.errors import Rejected
from tasks.ingest.parse.archive import core_properties, open_archive
from tasks.ingest.parse.elements import TEXT_LIMIT, Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.tables import add_rows, is_number
from tasks.records import Document

_DELIMITERS = ",;\t|"
_SNIFFED_LINES = 20
_QUOTED = re.compile(r'"[^"]*"')
_MIDNIGHT = time()


def read_workbook(path: Path) -> Document:
    """xlsx, xlsm, xlsb, xls and ods: each sheet a section, each block of rows a table."""
    from python_calamine import CalamineError, CalamineWorkbook

    properties = {}
    if is_zipfile(path):
        with open_archive(path) as archive:
            properties = core_properties(archive)
    elements = Elements()
    try:
        with CalamineWorkbook.from_path(str(path)) as workbook:
            names = workbook.sheet_names
            for name in names:
                elements.section = name
                _add_sheet(elements, workbook.get_sheet_by_name(name).iter_rows())
    except CalamineError as error:
        raise _unreadable(error) from None
    title = elements.believable(properties.pop("title", None))
    return elements.document("workbook", title, {**properties, "sheets": names})


def read_delimited(path: Path) -> Document:
    """csv and tsv, with the delimiter that splits the first lines most evenly."""
    text = read_text(path)
    csv.field_size_limit(TEXT_LIMIT)  # of the module: one cell may be the whole file
    delimiter = _delimiter(text.split("\n", _SNIFFED_LINES)[:_SNIFFED_LINES])
    elements = Elements()
    try:
        rows = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
        filled = ([cell.strip() for cell in row] for row in rows if any(row))
        _add_delimited(elements, filled)
    except csv.Error as error:
        raise Rejected(
            f"It is no delimited text that can be read: {error}", "Save it again."
        ) from None
    return elements.document("csv")


def _add_delimited(elements: Elements, rows: Iterator[list[str]]) -> None:
    """The first row names the columns, unless it holds numbers or a single cell."""
    first = next(rows, [])
    named = sum(map(bool, first)) > 1 and not any(is_number(cell) for cell in first)
    add_rows(elements, chain([first], rows), header_rows=1 if named else None)


def _delimiter(lines: list[str]) -> str:
    """The character that occurs in most of the lines, as often in one as in another."""

    def evenness(delimiter: str) -> tuple[int, int]:
        counts = Counter(_QUOTED.sub("", line).count(delimiter) for line in lines if line.strip())
        counts.pop(0, None)
        count, lines_with_it = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        return lines_with_it, count

    return max(_DELIMITERS, key=evenness)


def _add_sheet(elements: Elements, rows: Iterable[Sequence[object]]) -> None:
    """Empty rows part one table of the sheet from the next."""
    texts = ([_cell(value) for value in row] for row in rows)
    for filled, block in groupby(texts, key=any):
        if filled:
            add_rows(elements, block)


def _cell(value: object) -> str:
    """A cell as a reader would write it: whole numbers without a point, dates by ISO 8601."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
    if isinstance(value, datetime):
        return str(value.date() if value.time() == _MIDNIGHT else value)
    if isinstance(value, date | time | timedelta | int):
        return str(value)
    return ""


def _unreadable(error: Exception) -> Rejected:
    if "password" in str(error).lower() or "encrypt" in str(error).lower():
        return Rejected("It needs a password", "Save it without a password.")
    return Rejected(f"It is no workbook that can be read: {error}", "Open and save it again.")
