"""Which reader reads which format. Each is loaded when its first file comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from stat import S_ISREG

from tasks.errors import Rejected
from tasks.records import Document

_READERS = {
    "txt": "plain.read_plain",
    "code": "plain.read_code",
    "captions": "plain.read_captions",
    "md": "markdown.read_markdown",
    "mdx": "markdown.read_mdx",
    "html": "html.read_html",
    "rst": "rst.read_rst",
    "org": "org.read_org",
    "tex": "tex.read_tex",
    "adoc": "adoc.read_adoc",
    "eml": "mail.read_eml",
    "msg": "mail.read_msg",
    "csv": "sheets.read_delimited",
    "tsv": "sheets.read_delimited",
    "xlsx": "sheets.read_workbook",
    "xls": "sheets.read_workbook",
    "ods": "sheets.read_workbook",
    "json": "json.read_json",
    "jsonl": "json.read_json_lines",
    "xml": "xml.read_xml",
    "pdf": "pdf.read_pdf",
    "docx": "docx.read_docx",
    "pptx": "pptx.read_pptx",
    "odt": "opendocument.read_text_document",
    "odp": "opendocument.read_presentation",
    "epub": "epub.read_epub",
    "rtf": "rtf.read_rtf",
    "doc": "office.read_doc",
    "ppt": "office.read_ppt",
    "image": "ocr.read_image",
}
FORMATS = frozenset((*_READERS, "zip", "ole"))
"""Every format that can be asked for."""


def parse(path: Path, format: str) -> Document:
    """Read one regular file as `format` (see `format_of`), in this process and without its caps.

    Raises Rejected for what cannot be read, and whatever the libraries beneath raise.
    """
    if not S_ISREG(path.stat().st_mode):
        raise Rejected("It is no regular file", "Put a file in its place.")
    if format in ("zip", "ole", "docx", "pptx", "xlsx", "ods", "odt", "odp", "epub"):
        from tasks.ingest.parse.containers import format_inside

        format = format_inside(path, format)
    module, _, function = _READERS[format].partition(".")
    reader: Callable[[Path], Document] = getattr(
        import_module(f"tasks.ingest.parse.readers.{module}"), function
    )
    return replace(reader(path), format=format)
