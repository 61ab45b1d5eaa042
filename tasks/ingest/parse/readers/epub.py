"""Electronic books: the chapters of the spine, each read as HTML."""

from __future__ import annotations

from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Any
from urllib.parse import unquote
from zipfile import ZipFile

from tasks.errors import Rejected
from tasks.ingest.parse.archive import open_archive, parse_xml, read_part
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import as_text
from tasks.ingest.parse.readers.html import add_html
from tasks.records import Document

_CONTAINER = "META-INF/container.xml"
_CHAPTERS = ("application/xhtml+xml", "text/html")
_METADATA = {
    "title": "title",
    "creator": "author",
    "language": "language",
    "publisher": "publisher",
    "date": "date",
    "subject": "subject",
}


def read_epub(path: Path) -> Document:
    """The book in reading order; its own table of contents is left out."""
    elements = Elements()
    with open_archive(path) as archive:
        package_name = _package_name(archive)
        package = parse_xml(read_part(archive, package_name), "Its list of chapters")
        names = set(archive.namelist())
        for reference in _spine(package):
            name = normpath(join(dirname(package_name), unquote(reference)))
            if name in names:
                add_html(elements, as_text(read_part(archive, name)))
    metadata = _metadata(package)
    return elements.document("epub", metadata.pop("title", None), metadata)


def _package_name(archive: ZipFile) -> str:
    root = parse_xml(read_part(archive, _CONTAINER), "Its container")
    for file in root.iter("{*}rootfile"):
        return unquote(file.get("full-path", ""))
    raise Rejected("It names no list of chapters", "Save the book again.")


def _spine(package: Any) -> list[str]:
    """The files of the chapters, in reading order."""
    items = {item.get("id"): item for item in package.iter("{*}item")}
    chapters = (items.get(reference.get("idref")) for reference in package.iter("{*}itemref"))
    return [
        chapter.get("href", "")
        for chapter in chapters
        if chapter is not None
        and chapter.get("media-type") in _CHAPTERS
        and "nav" not in chapter.get("properties", "").split()
    ]


def _metadata(package: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for section in package.iter("{*}metadata"):
        for node in section:
            name = _METADATA.get(node.tag.rpartition("}")[2])
            if name and (node.text or "").strip():
                found.setdefault(name, " ".join(node.text.split()))
    return found
