"""Bytes to text, whatever the encoding."""

from __future__ import annotations

import codecs
import re
from pathlib import Path

from tasks.errors import Rejected
from tasks.ingest.parse.elements import TEXT_LIMIT

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEVEN_BIT = ("iso-2022-", "hz", "utf-7")
"""Encodings that look like ASCII: only a declaration tells them."""
_SAMPLE_BYTES = 65_536
_UTF8_LEADS = bytes(range(0xC0, 0x100))
_CONTROL = re.compile("[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def read_text(path: Path) -> str:
    r"""The text of a text file, whatever its encoding, with `\n` between its lines.

    Raises Rejected for an empty file, for bytes that are no text, and for more than the limit.
    """
    return as_text(read_bytes(path, 4 * TEXT_LIMIT))


def read_bytes(path: Path, limit: int) -> bytes:
    """The file's bytes; Rejected when there are none, or more than `limit`."""
    size = path.stat().st_size
    if size == 0:
        raise Rejected("The file is empty (0 bytes)", "Save it again, or remove it.")
    if size > limit:
        raise Rejected(f"Its {size:,} bytes are more than {limit:,}", "Split the file.")
    return path.read_bytes()


def as_text(data: bytes, declared: str | None = None) -> str:
    """`decode`, with line ends normalised; raises Rejected when the bytes are no text."""
    text = decode(data, declared)
    sample = text[:_SAMPLE_BYTES]
    if len(_CONTROL.findall(sample)) > len(sample) // 20:
        raise Rejected(
            "It holds binary data, not text",
            "Give the file the extension of its real format, or remove it.",
        )
    return text.replace("\r\n", "\n").replace("\r", "\n")


def decode(data: bytes, declared: str | None = None) -> str:
    """Text of bytes in an unknown encoding.

    A byte order mark decides; then a `declared` encoding that fits, UTF-8, UTF-16 told by its
    zeros, and at last what charset-normalizer makes of a sample.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, errors="replace")
    declared = re.sub("-[ie]$", "", declared.lower()) if declared else None  # ISO-8859-8-I
    if declared and declared.startswith(_SEVEN_BIT):
        return data.decode(declared, errors="replace")
    sample = data[:_SAMPLE_BYTES]
    wide = _wide_encoding(sample)
    if wide:
        return data.decode(wide, errors="replace")
    for likely in ("utf-8", declared) if _is_utf8(sample) else (declared, "utf-8"):
        text = _strictly(data, likely)
        if text is not None:
            return text
    if _is_utf8(sample):  # cut or damaged in places, and still UTF-8
        return data.decode("utf-8", errors="replace")
    return data.decode(_guess(sample), errors="replace")


def _strictly(data: bytes, encoding: str | None) -> str | None:
    try:
        return data.decode(encoding) if encoding else None
    except (LookupError, ValueError):
        return None


def _is_utf8(sample: bytes) -> bool:
    """Whether the sample reads as UTF-8 but for a few damaged places."""
    damaged = sample[:-4].decode("utf-8", errors="replace").count("\ufffd")
    return damaged <= (len(sample) - len(sample.translate(None, _UTF8_LEADS))) // 50


def _wide_encoding(sample: bytes) -> str | None:
    """UTF-16 or UTF-32 without a byte order mark, told by where its zero bytes stand."""
    zeros = [sample[i::4].count(0) for i in range(4)]
    quarter = len(sample) // 4
    if not quarter or sum(zeros) < len(sample) // 5:
        return None
    full = [count > 0.9 * quarter for count in zeros]
    if full[1:] == [True] * 3 and not full[0]:
        return "utf-32-le"
    if full[:3] == [True] * 3 and not full[3]:
        return "utf-32-be"
    odd, even = zeros[1] + zeros[3], zeros[0] + zeros[2]
    if odd > 8 * even:
        return "utf-16-le"
    return "utf-16-be" if even > 8 * odd else None


def _guess(sample: bytes) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample).best()
    return best.encoding if best else "cp1252"
