"""Which format a file has: told by its name, and by its first bytes where they are certain."""

from __future__ import annotations

import re
from pathlib import Path

from tasks.errors import Rejected
from tasks.ingest.parse.encoding import decode

HEAD_BYTES = 8192
"""How many of a file's first bytes `format_of` wants."""

_TEXT_FORMATS = {
    "txt": "txt text log me license notice authors changelog readme",
    "md": "md markdown mdown mkd mdwn rmd qmd",
    "mdx": "mdx",
    "html": "html htm xhtml xht",
    "rst": "rst rest",
    "org": "org",
    "tex": "tex ltx",
    "adoc": "adoc asciidoc asc",
    "eml": "eml",
    "csv": "csv",
    "tsv": "tsv tab",
    "json": "json geojson ipynb",
    "jsonl": "jsonl ndjson",
    "xml": "xml rss atom svg xsd xsl xslt wsdl opml dita dbk",
    "captions": "vtt srt",
    "code": (
        "py pyi js mjs cjs jsx ts tsx java kt kts scala groovy c h cc cpp cxx hpp hh cs go rs rb"
        " php pl pm lua r jl swift m mm dart ex exs erl hs clj cljs lisp el ml mli fs vb pas f f90"
        " asm s sql psql ddl sh bash zsh fish ps1 bat cmd awk css scss sass less vue svelte graphql"
        " proto thrift tf hcl nix cmake mk makefile dockerfile gradle yaml yml toml ini cfg conf"
        " env properties editorconfig gitignore diff patch vim bib"
    ),
}
_BINARY_FORMATS = {
    "pdf": "pdf",
    "docx": "docx docm dotx dotm",
    "pptx": "pptx pptm ppsx ppsm potx",
    "xlsx": "xlsx xlsm xlsb xltx",
    "ods": "ods ots",
    "odt": "odt ott",
    "odp": "odp otp",
    "epub": "epub",
    "rtf": "rtf",
    "doc": "doc dot",
    "ppt": "ppt pps pot",
    "xls": "xls xlt",
    "msg": "msg",
    "image": "png jpg jpeg gif bmp tif tiff webp heic heif",
}
_FORMAT_OF = {
    extension: format
    for format, extensions in (_TEXT_FORMATS | _BINARY_FORMATS).items()
    for extension in extensions.split()
}
_ZIP_FORMATS = frozenset(("docx", "pptx", "xlsx", "ods", "odt", "odp", "epub"))
_OLE_FORMATS = frozenset(("doc", "ppt", "xls", "msg"))

_REFUSED = {
    "zip tar gz tgz bz2 xz zst 7z rar jar war whl iso dmg": ("an archive", "Unpack it."),
    "pages numbers key": ("an iWork document", "Export it as docx, xlsx, pptx or pdf."),
    "mp3 wav m4a flac ogg opus aac wma mp4 mkv mov avi webm wmv": (
        "a recording",
        "Transcribe it to txt, vtt or srt.",
    ),
    "exe dll so dylib bin class pyc o a wasm": ("a program", "Remove it from the folder."),
    "parquet feather arrow orc avro sqlite db mdb accdb": ("a database", "Export it as csv."),
}
_MAGIC = (
    (b"%PDF-", "pdf"),
    (b"{\\rtf", "rtf"),
    (b"PK\x03\x04", "zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "ole"),
    (b"\x89PNG\r\n\x1a\n", "image"),
    (b"\xff\xd8\xff", "image"),
    (b"GIF87a", "image"),
    (b"GIF89a", "image"),
    (b"II*\0", "image"),
    (b"MM\0*", "image"),
    (b"BM", "bitmap"),
)
_HTML = re.compile(
    r"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html|head|body|table)\b", re.I | re.DOTALL
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def format_of(name: Path, head: bytes) -> str:
    """The name of the format that a file is to be read as.

    `name` may be a path of any kind, only its last part counts; `head` is the file's first
    `HEAD_BYTES` bytes. Content that is certain (a pdf, an image …) overrules the name. Answers
    `zip` and `ole` where only the whole file can tell which of those containers' formats it is.
    Raises Rejected, saying what to do, for a format that cannot be read.
    """
    extension = name.suffix.lower().lstrip(".") or name.name.lower().lstrip(".")
    named = _FORMAT_OF.get(extension)
    certain = _by_content(head)
    if certain == "zip":
        if named not in _ZIP_FORMATS:
            _refuse(extension)
        return named if named in _ZIP_FORMATS else "zip"
    if certain == "ole":
        return named if named in _OLE_FORMATS else "ole"
    if certain:
        return certain
    if named in _TEXT_FORMATS:
        return named
    _refuse(extension)
    if _is_text(head):
        return _text_format(named, head)
    if named:
        raise Rejected(
            f"It is named .{extension} and holds no {extension} content", "Save it again."
        )
    raise Rejected(
        f"The format {'.' + extension if name.suffix else 'of this file'} is not known",
        "Convert it to pdf, docx, html, md or txt, or remove it from the folder.",
    )


def _by_content(head: bytes) -> str | None:
    for magic, format in _MAGIC:
        if head.startswith(magic):
            if format == "bitmap":
                return "image" if head[6:10] == b"\0\0\0\0" else None
            return format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image"
    if head[4:8] == b"ftyp" and head[8:12] in (b"heic", b"heix", b"mif1", b"heif", b"avif"):
        return "image"
    return "pdf" if b"%PDF-" in head[:1024] and not _is_text(head) else None


def _refuse(extension: str) -> None:
    """Raise Rejected for an extension of something that is known and not read."""
    for extensions, (kind, remedy) in _REFUSED.items():
        if extension in extensions.split():
            raise Rejected(f"It is {kind} (.{extension})", remedy)


def _is_text(head: bytes) -> bool:
    text = decode(head)
    return (
        len(_CONTROL.findall(text)) <= len(text) // 100 and text.count("\ufffd") <= len(text) // 50
    )


def _text_format(named: str | None, head: bytes) -> str:
    """The format of text under a name that promises something else, or nothing.

    Web applications call their tables .xls and their pages .doc.
    """
    text = decode(head)
    if _HTML.match(text):
        return "html"
    if text.lstrip().startswith("<?xml"):
        return "xml"
    return "csv" if named in ("xls", "xlsx") else "txt"
