"""pdf, by pdfium: the text layer where there is one, tesseract where there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from operator import itemgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tasks.errors import MissingTool, Rejected
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.readers.ocr import INSTALL, add_image_text, tesseract
from tasks.ingest.parse.readers.pdf_layout import add_pages, fold
from tasks.ingest.parse.readers.pdf_lines import Line, Page, read_page
from tasks.records import Document

_TITLE_ELEMENTS = 8
_BOOKMARKS = 3
_RENDERED_DPI = 300
_RENDERED_PIXELS = 40_000_000
_UNREADABLE = re.compile("[\ufffd\x00-\x08\x0e-\x1f\ue000-\uf8ff]")
_DATE = re.compile(r"D:(\d{4})(\d{2})?(\d{2})?")
_METADATA = {"Author": "author", "Subject": "subject", "Keywords": "keywords"}


def read_pdf(path: Path) -> Document:
    """Headings, paragraphs and items with their pages; scanned pages by tesseract if installed."""
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        raise _unreadable(error) from None
    with closing(pdf):
        pages, pictures = _pages(pdf)
        elements = Elements()
        add_pages(elements, pages, _outline(pdf))
        if pictures and (tesseract() or not len(elements)):
            elements = _with_pictures(elements, pdf, pictures)
            pictures = []
        stated = pdf.get_metadata_dict()
    metadata: dict[str, Any] = {ours: stated.get(theirs) for theirs, ours in _METADATA.items()}
    metadata |= {"created": _date(stated.get("CreationDate", "")), "pages": len(pages)}
    metadata["pages_without_text"] = [index + 1 for index in pictures]
    return elements.document("pdf", _title(elements, stated.get("Title")), metadata)


def _title(elements: Elements, stated: str | None) -> str:
    """The stated title where the text bears it out, else the largest heading of the first page."""
    first = [element for element in islice(elements, _TITLE_ELEMENTS) if element.page == 1]
    headings = [(e.depth, e.text) for e in first if e.depth and not e.text[0].isdigit()]
    largest = min(headings, key=itemgetter(0), default=(0, ""))[1]
    if stated and any(stated.strip() in element.text for element in first):
        return stated
    return largest or stated or ""


def _pages(pdf: Any) -> tuple[list[Page], list[int]]:
    """Each page, and which pages (from 0) show something and have no readable text."""
    pages: list[Page] = []
    pictures: list[int] = []
    for index in range(len(pdf)):
        sheet = pdf[index]
        page = read_page(sheet)
        if not _is_readable(page.lines):
            page = replace(page, lines=())
            if next(sheet.get_objects(max_depth=1), None) is not None:
                pictures.append(index)
        pages.append(page)
        sheet.close()
    return pages, pictures


def _is_readable(lines: Sequence[Line]) -> bool:
    """Whether most characters have a meaning; fonts without a code table give private ones."""
    characters = sum(len(line.text) for line in lines)
    unreadable = sum(len(_UNREADABLE.findall(line.text)) for line in lines)
    return characters > 0 and unreadable < characters * 0.3


def _outline(pdf: Any) -> dict[int, dict[str, int]]:
    """The bookmarks by page, as `pdf_layout` wants them; none where they are too few to trust."""
    outline: dict[int, dict[str, int]] = {}
    count = 0
    for bookmark in pdf.get_toc(max_depth=6):
        target = bookmark.get_dest()
        index = target.get_index() if target is not None else None
        if index is not None:
            outline.setdefault(index, {}).setdefault(fold(bookmark.get_title()), bookmark.level + 1)
            count += 1
    return outline if count >= _BOOKMARKS else {}


def _with_pictures(elements: Elements, pdf: Any, pictures: list[int]) -> Elements:
    """The elements with those of the pages that tesseract reads, in the order of the pages."""
    if tesseract() is None:
        pages = "page is a picture" if len(pictures) == 1 else f"{len(pictures)} pages are pictures"
        raise MissingTool(f"Its {pages} without text (a scan)", INSTALL)
    recognised = Elements()
    with TemporaryDirectory() as folder:
        for index in pictures:
            recognised.page = index + 1
            picture = Path(folder, "page.pgm")
            picture.write_bytes(_rendered(pdf[index]))
            add_image_text(recognised, picture)
    merged = Elements()
    merged.extend(sorted((*elements, *recognised), key=lambda element: element.page or 0))
    return merged


def _rendered(page: Any) -> bytes:
    """The page as a grey picture in the PGM format."""
    width, height = page.get_size()
    scale = min(_RENDERED_DPI / 72, (_RENDERED_PIXELS / max(width * height, 1)) ** 0.5)
    bitmap = page.render(scale=scale, grayscale=True)
    rows = bytes(bitmap.buffer)
    stride, width = bitmap.stride, bitmap.width
    lines = (rows[i * stride : i * stride + width] for i in range(bitmap.height))
    return b"P5 %d %d 255\n" % (width, bitmap.height) + b"".join(lines)


def _date(stated: str) -> str | None:
    match = _DATE.match(stated)
    return "-".join(part for part in match.groups() if part) if match else None


def _unreadable(error: Exception) -> Rejected:
    if "password" in str(error).lower():
        return Rejected("It needs a password", "Save it without a password.")
    return Rejected(f"It is no pdf that can be read: {error}", "Open and save it again.")
