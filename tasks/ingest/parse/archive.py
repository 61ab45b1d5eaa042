"""Opening zip containers (docx, xlsx, epub, odt …) within limits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from tasks.errors import Rejected

if TYPE_CHECKING:
    from lxml import etree

_UNPACKED_LIMIT = 512 * 1024 * 1024
_RATIO_LIMIT = 100
_RATIO_FLOOR = 32 * 1024 * 1024
"""Below this size any ratio is harmless."""
_PART_LIMIT = 256 * 1024 * 1024
_ENTRIES_LIMIT = 20_000
_CORE = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "created": "created",
}
_DAMAGED = "Open and save it again with the program that made it."


def open_archive(path: Path) -> ZipFile:
    """Open a zip container; raises Rejected for a damaged one and for a decompression bomb."""
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError, ValueError, EOFError, NotImplementedError) as error:
        raise Rejected(f"It is damaged or cut short: {error}", _DAMAGED) from None
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    packed = max(path.stat().st_size, 1)
    bomb = size > _RATIO_FLOOR and size > _RATIO_LIMIT * packed
    if size > _UNPACKED_LIMIT or bomb or len(entries) > _ENTRIES_LIMIT:
        raise Rejected(
            f"It unpacks {packed:,} bytes to {size:,} in {len(entries):,} parts",
            "Make a smaller document, or split it.",
        )
    return archive


def read_part(archive: ZipFile, name: str) -> bytes:
    """One part's bytes, never more than it declares; Rejected when it is missing or damaged."""
    try:
        with archive.open(name) as part:
            data = part.read(_PART_LIMIT + 1)
    except KeyError:
        raise Rejected(f"Its part {name!r} is missing", _DAMAGED) from None
    except RuntimeError as error:  # zipfile's word for an encrypted part
        raise Rejected(
            f"Its part {name!r} cannot be read: {error}", "Remove its password."
        ) from None
    except Exception as error:  # zlib, lzma, bz2 and struct raise their own kinds
        raise Rejected(f"Its part {name!r} is damaged: {error}", _DAMAGED) from None
    if len(data) > _PART_LIMIT:
        raise Rejected(f"Its part {name!r} is larger than {_PART_LIMIT:,} bytes", "Split it.")
    return data


def parse_xml(data: bytes, what: str) -> etree._Element:
    """Well-formed XML, without entities, DTDs or network; Rejected, with `what`, when it is not."""
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=True,
    )
    try:
        root: Any = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise Rejected(f"{what} is no well-formed XML: {error}", _DAMAGED) from None
    return root


def core_properties(archive: ZipFile) -> dict[str, str]:
    """Title, author, subject, keywords and date of creation, as an Office document states them."""
    if "docProps/core.xml" not in archive.namelist():
        return {}
    root = parse_xml(read_part(archive, "docProps/core.xml"), "Its list of properties")
    stated = (
        (_CORE.get(child.tag.rpartition("}")[2]), (child.text or "").strip()) for child in root
    )
    return {name: value for name, value in stated if name and value}
