"""Charts in Office documents: the data that they show."""

from __future__ import annotations

from typing import Any

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.tables import add_rows

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"


def add_chart(elements: Elements, chart: Any) -> None:
    """A chart's data as a table: a row a category, a column a series."""
    for title in chart.iterfind(f".//{_CHART}title"):
        elements.paragraph(
            " ".join(t.text or "" for t in title.iter(f"{_DRAWING}t")), "FigureCaption"
        )
    names: list[str] = []
    rows: dict[str, list[str]] = {}
    for series in chart.iter(f"{_CHART}ser"):
        names.append(" ".join(_points(series, "tx")))
        categories = _points(series, "cat") or _points(series, "xVal")
        for category, value in zip(
            categories, _points(series, "val") or _points(series, "yVal"), strict=False
        ):
            row = rows.setdefault(category, [])
            row.extend([""] * (len(names) - 1 - len(row)))
            row.append(value)
    add_rows(elements, [["", *names], *([name, *row] for name, row in rows.items())], header_rows=1)


def _points(series: Any, name: str) -> list[str]:
    return [
        v.text or "" for part in series.findall(f"{_CHART}{name}") for v in part.iter(f"{_CHART}v")
    ]
