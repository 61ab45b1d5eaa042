"""Tables of HTML: those that hold data become rows, those that lay out a page do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

Block = tuple[str, str, int]
"""A block's kind, its text, and a heading's level."""

NESTED_TABLES = 50
"""Tables nested deeper are read as running text."""

_SPAN_LIMIT = 100
_CELL_BLOCKS = 8
_CELL_CHARACTERS = 1000


@dataclass(slots=True)
class HtmlCell:
    """One cell, with its blocks in order and the columns and rows that it covers."""

    is_header: bool
    columns: int
    rows: int
    blocks: list[Block | HtmlTable] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(block[1] for block in self.blocks if isinstance(block, tuple))


@dataclass(slots=True)
class HtmlTable:
    """The rows of one table as they are read; `cell` is the one that is open."""

    role: str
    rows: list[list[HtmlCell]] = field(default_factory=list)
    cell: HtmlCell | None = None

    def open_cell(self, is_header: bool, attributes: Mapping[str, str]) -> None:
        if not self.rows:
            self.rows.append([])
        self.cell = HtmlCell(
            is_header, _span(attributes.get("colspan")), _span(attributes.get("rowspan"))
        )
        self.rows[-1].append(self.cell)

    def close_cell(self) -> None:
        self.cell = None

    def is_data(self) -> bool:
        """Whether its cells belong together by row and column, rather than to a page's layout."""
        if self.role in ("presentation", "none"):
            return False
        cells = [cell for row in self.rows for cell in row]
        if any(_is_laid_out(cell) for cell in cells):
            return False
        return any(sum(1 for cell in row if cell.blocks) > 1 for row in self.rows)

    def header_rows(self) -> int | None:
        """How many rows of header cells stand on top; None where no cell is marked as one."""
        filled = [row for row in self.rows if row]
        body = (n for n, row in enumerate(filled) if not all(cell.is_header for cell in row))
        count = next(body, 1)
        return count or (0 if any(row[0].is_header for row in filled) else None)

    def grid(self) -> list[list[str]]:
        """The cells' texts by column: what spans rows stands in each, a header in each column."""
        grid: list[list[str]] = []
        carried: dict[int, tuple[int, str]] = {}
        for row in filter(None, self.rows):
            line: list[str] = []
            for cell in row:
                _carry(line, carried)
                for column in range(cell.columns):
                    text = cell.text if column == 0 or cell.is_header else ""
                    if cell.rows > 1:
                        carried[len(line)] = (cell.rows - 1, text)
                    line.append(text)
            _carry(line, carried)
            grid.append(line)
        return grid


def _carry(line: list[str], carried: dict[int, tuple[int, str]]) -> None:
    """Continue the cells from above that cover the next columns of the line."""
    while len(line) in carried:
        rows, text = carried.pop(len(line))
        if rows > 1:
            carried[len(line)] = (rows - 1, text)
        line.append(text)


def _is_laid_out(cell: HtmlCell) -> bool:
    if len(cell.blocks) > _CELL_BLOCKS or len(cell.text) > _CELL_CHARACTERS:
        return True
    return any(
        isinstance(block, HtmlTable) or (block[0] == "heading" and not cell.is_header)
        for block in cell.blocks
    )


def _span(value: str | None) -> int:
    return min(max(int(value), 1), _SPAN_LIMIT) if value and value.isdecimal() else 1
