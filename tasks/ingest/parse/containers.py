"""What a zip or OLE container holds, told by the parts inside it."""

from __future__ import annotations

from pathlib import Path

from tasks.errors import Rejected
from tasks.ingest.parse.archive import open_archive, read_part

_ZIP_PARTS = (("word/", "docx"), ("xl/", "xlsx"), ("ppt/", "pptx"))
_MIME_TYPES = (
    ("application/epub+zip", "epub"),
    ("application/vnd.oasis.opendocument.text", "odt"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.oasis.opendocument.presentation", "odp"),
)
_OLE_STREAMS = (
    ("WordDocument", "doc"),
    ("Workbook", "xls"),
    ("Book", "xls"),
    ("PowerPoint Document", "ppt"),
    ("__properties_version1.0", "msg"),
)


def format_inside(path: Path, named: str) -> str:
    """The format of the document in a container; `named` where its parts do not tell.

    Raises Rejected for a plain archive, an encrypted document and a damaged container.
    """
    with path.open("rb") as file:
        is_ole = file.read(4) == b"\xd0\xcf\x11\xe0"
    format = _in_ole(path) if is_ole else _in_zip(path)
    if format is None and named in ("zip", "ole"):
        raise Rejected("It is an archive", "Unpack it.")
    return format or named


def _in_zip(path: Path) -> str | None:
    with open_archive(path) as archive:
        names = archive.namelist()
        if "mimetype" in names:
            mime_type = read_part(archive, "mimetype").decode("ascii", "replace").strip()
            return next(
                (format for mime, format in _MIME_TYPES if mime_type.startswith(mime)), None
            )
    if "[Content_Types].xml" not in names:
        return "epub" if "META-INF/container.xml" in names else None
    parts = ((format for name in names if name.startswith(folder)) for folder, format in _ZIP_PARTS)
    return next((format for formats in parts for format in formats), None)


def _in_ole(path: Path) -> str | None:
    from olefile import OleFileIO

    try:
        with OleFileIO(str(path)) as container:
            if container.exists("EncryptedPackage"):
                raise Rejected("It needs a password", "Save it without a password.")
            return next(
                (format for stream, format in _OLE_STREAMS if container.exists(stream)), None
            )
    except OSError as error:
        raise Rejected(f"It is damaged or cut short: {error}", "Save it again.") from None
