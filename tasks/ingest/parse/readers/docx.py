"""Word documents, by unstructured's partitioner, which knows Word's numbering of lists.

What it would lose is first brought into its sight, see `docx_body`.
"""

from __future__ import annotations

import re
from html import unescape
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

from tasks.errors import Rejected
from tasks.ingest.parse.archive import core_properties, open_archive, parse_xml, read_part
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.readers.charts import add_chart
from tasks.ingest.parse.readers.docx_body import CODE_MARK, STRICT, TRANSITIONAL, Body
from tasks.ingest.parse.readers.html import add_html
from tasks.ingest.parse.readers.partitioners import partitioner
from tasks.records import Document

_TAG = re.compile(r"<[^>]*>")
_CHART_PART = re.compile(r"word/charts/chart\d*\.xml$")
_OFFICE_DOCUMENT = "/relationships/officeDocument"
_CATEGORIES = {"NarrativeText", "Address", "EmailAddress"}


def read_docx(path: Path) -> Document:
    """Paragraphs, headings by style, lists with their labels, tables, notes, text boxes, code."""
    elements = Elements()
    with open_archive(path) as archive:
        properties = core_properties(archive)
        _add_body(elements, _prepared(archive))
        for name in sorted(archive.namelist()):
            if _CHART_PART.match(name):
                add_chart(elements, parse_xml(read_part(archive, name), f"Its part {name!r}"))
    return elements.document("docx", elements.believable(properties.pop("title", None)), properties)


def _add_body(elements: Elements, prepared: BytesIO) -> None:
    """Append what the partitioner makes of a prepared document."""
    try:
        parts = partitioner("docx")(file=prepared, languages=[""])
    except (KeyError, ValueError, AttributeError, IndexError, TypeError) as error:
        raise Rejected(
            f"It is no Word document that can be read: {error}", "Open and save it again in Word."
        ) from error
    seen: set[str] = set()
    for part in parts:
        if part.category in ("Header", "Footer"):  # once, not once a section
            if part.text not in seen and not part.text.strip().isnumeric():
                elements.paragraph(part.text, part.category)
            seen.add(part.text)
        else:
            _add(elements, part)


def _add(elements: Elements, part: Any) -> None:
    if part.text.startswith(CODE_MARK):
        elements.code(part.text[len(CODE_MARK) :])
    elif part.category == "Title":
        elements.heading(part.text, (part.metadata.category_depth or 0) + 1)
    elif part.category == "ListItem":
        elements.item(part.text)
    elif part.category == "Table" and _is_whole(part.metadata.text_as_html, part.text):
        add_html(elements, part.metadata.text_as_html)
    elif part.category != "PageBreak":
        elements.paragraph(part.text, part.category if part.category in _CATEGORIES else None)


def _is_whole(table: str | None, text: str) -> bool:
    """Whether the partitioner's HTML of a table has all of its words; odd grids cost it some."""
    words = unescape(_TAG.sub(" ", table or "")).split()
    return set(text.split()) <= set(words)


def _prepared(archive: ZipFile) -> BytesIO:
    """The document with its body rewritten and its pictures emptied."""
    main = _main_part(archive)
    folder = main.rpartition("/")[0]
    body = Body(
        _part(archive, main),
        _part(archive, f"{folder}/styles.xml"),
        [_part(archive, f"{folder}/{name}.xml") for name in ("footnotes", "endnotes")],
    )
    rewritten = {main: body.document(), f"{folder}/styles.xml": body.styles() or b""}
    prepared = BytesIO()
    with ZipFile(prepared, "w", ZIP_STORED) as copy:
        for name in dict.fromkeys(archive.namelist()):
            if name in rewritten:
                copy.writestr(name, rewritten[name])
            elif name.endswith((".xml", ".rels")):
                copy.writestr(name, STRICT.sub(TRANSITIONAL, read_part(archive, name)))
            elif not name.endswith("/"):
                copy.writestr(name, b"")
    prepared.seek(0)
    return prepared


def _main_part(archive: ZipFile) -> str:
    relations = parse_xml(read_part(archive, "_rels/.rels"), "Its list of parts")
    for relation in relations:
        if relation.get("Type", "").endswith(_OFFICE_DOCUMENT):
            return str(relation.get("Target", "")).lstrip("/")
    raise Rejected("It has no document part", "Open and save it again in Word.")


def _part(archive: ZipFile, name: str) -> Any:
    """A part's XML in the transitional namespaces; None where the document has no such part."""
    if name not in archive.namelist():
        return None
    return parse_xml(STRICT.sub(TRANSITIONAL, read_part(archive, name)), f"Its part {name!r}")
