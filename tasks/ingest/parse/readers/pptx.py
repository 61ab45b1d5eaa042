"""Presentations: unstructured's partitioner, and what it leaves out: charts, diagrams, notes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from tasks.errors import Rejected
from tasks.ingest.parse.archive import core_properties, open_archive, parse_xml
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.readers.charts import add_chart
from tasks.ingest.parse.readers.html import add_html
from tasks.ingest.parse.readers.partitioners import partitioner
from tasks.records import Document

_DRAWING = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"


def read_pptx(path: Path) -> Document:
    """One section a slide: its title, texts, tables, charts, diagrams and the speaker's notes."""
    import pptx

    with open_archive(path) as archive:
        properties = core_properties(archive)
    elements = Elements()
    try:
        parts = partitioner("pptx")(
            filename=str(path), languages=[""], include_page_breaks=False, include_slide_notes=False
        )
        slides = list(pptx.Presentation(str(path)).slides)
    except (KeyError, ValueError, AttributeError, IndexError, TypeError) as error:
        raise Rejected(
            f"It is no presentation that can be read: {error}",
            "Open and save it again in PowerPoint.",
        ) from error
    by_slide = {page: list(group) for page, group in groupby(parts, _page)}
    for elements.page, slide in enumerate(slides, start=1):
        _add_slide(elements, slide, by_slide.get(elements.page, []))
    titles = (part.text for part in parts if _is_title(part))
    title = next(titles, None) or elements.believable(properties.get("title"))
    return elements.document("pptx", title, properties)


def _add_slide(elements: Elements, slide: Any, parts: list[Any]) -> None:
    content = Elements()
    content.page = elements.page
    title = next((part for part in parts if _is_title(part)), None)
    _add_texts(content, [part for part in parts if part is not title])
    for chart in _related(slide, "chart"):
        add_chart(content, chart)
    for diagram in _related(slide, "diagramData"):
        for node in diagram.iter(f"{_DIAGRAM}pt"):
            content.item("".join(text.text or "" for text in node.iter(f"{_DRAWING}t")))
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        content.paragraph(_lines(slide.notes_slide.notes_text_frame.text))
    if title:
        elements.heading(_lines(title.text), 1)
    elements.extend(content, section=None if title else f"Slide {elements.page}")


def _page(part: Any) -> int:
    return int(part.metadata.page_number or 1)


def _add_texts(elements: Elements, parts: list[Any]) -> None:
    for part in parts:
        if part.category == "Table" and part.metadata.text_as_html:
            add_html(elements, part.metadata.text_as_html)
        elif part.category == "ListItem":
            elements.item(_lines(part.text))
        else:
            elements.paragraph(_lines(part.text))


def _is_title(part: Any) -> bool:
    """Whether the text stands in the slide's title, rather than being short like one."""
    return bool(part.category == "Title" and part.metadata.category_depth == 0)


def _related(slide: Any, kind: str) -> Iterator[Any]:
    """The XML of the parts that the slide refers to as `kind`."""
    for relation in slide.part.rels.values():
        if not relation.is_external and relation.reltype.endswith(f"/relationships/{kind}"):
            yield parse_xml(relation.target_part.blob, f"Its {kind}")


def _lines(text: str) -> str:
    """A slide's line breaks are vertical tabs."""
    return text.replace("\v", "\n")
