"""Which format a file is read as: its name's, unless its content is certain of another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.errors import Rejected
from tasks.ingest.parse import HEAD_BYTES, format_of
from tests.ingest.parse_fixtures import (
    parse_file,
    write_docx,
    write_epub,
    write_ole,
    write_pdf,
    write_xlsx,
    write_zip,
)


@pytest.mark.parametrize(
    ("name", "head", "format"),
    [
        ("notes.TXT", b"text", "txt"),
        ("README", b"text", "txt"),
        ("Makefile", b"all:\n", "code"),
        ("notes.unheard-of", b"plain words", "txt"),
        ("page.php", b"<?php", "code"),
        ("drop.txt", b"%PDF-1.7\n", "pdf"),
        ("drop.txt", b"{\\rtf1 text}", "rtf"),
        ("photo.txt", b"\xff\xd8\xff\xe0", "image"),
        ("table.xls", b"<html><table><tr><td>1", "html"),
        ("table.xls", b"a,b\n1,2\n", "csv"),
        ("old.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "ole"),
        ("old.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "doc"),
        ("unknown.bin2", b"PK\x03\x04" + b"\0" * 100, "zip"),
        ("book.epub", b"PK\x03\x04" + b"\0" * 100, "epub"),
        ("wide.txt", "wide".encode("utf-16-le"), "txt"),
    ],
)
def test_name_and_content_tell_the_format(name: str, head: bytes, format: str) -> None:
    assert format_of(Path(name), head) == format


@pytest.mark.parametrize(
    ("name", "head", "remedy"),
    [
        ("a.zip", b"PK\x03\x04", "Unpack"),
        ("a.tar.gz", b"\x1f\x8b\x08", "Unpack"),
        ("a.mp3", b"ID3\x04", "Transcribe"),
        ("a.pages", b"PK\x03\x04", "Export"),
        ("a.sqlite", b"SQLite format 3\0", "Export"),
        ("a.docx", b"\x01\x02\x03\x04" * 100, "Save"),
        ("a.unheard-of", bytes(range(256)), "Convert"),
    ],
)
def test_what_cannot_be_read_says_what_to_do(name: str, head: bytes, remedy: str) -> None:
    with pytest.raises(Rejected) as caught:
        format_of(Path(name), head)
    assert remedy in caught.value.remedy


@pytest.mark.parametrize("named", ["drop.zip2", "drop.pptx", "drop.txt"])
def test_a_document_under_a_wrong_name_is_read_as_what_it_is(tmp_path: Path, named: str) -> None:
    makers = {"docx": write_docx, "epub": write_epub, "pdf": write_pdf}
    for format, write in makers.items():
        path = write(tmp_path / f"good.{format}").rename(tmp_path / named)
        assert parse_file(path).format == format


def test_a_workbook_named_docx_is_read_as_a_workbook(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.docx", {"Sheet": [["Ship", "Tons"], ["Aurora", 900]]})
    assert parse_file(path).format == "xlsx"


def test_an_encrypted_office_document_needs_a_password(tmp_path: Path) -> None:
    path = write_ole(tmp_path / "a.docx", {"EncryptedPackage": b"x" * 64, "EncryptionInfo": b"y"})
    with pytest.raises(Rejected, match="password"):
        parse_file(path)


@pytest.mark.parametrize("inner", ["data.bin", "folder/inner.zip"])
def test_an_archive_is_not_unpacked(tmp_path: Path, inner: str) -> None:
    path = write_zip(tmp_path / "a.unknown", {inner: b"x"})
    with pytest.raises(Rejected, match="archive"):
        parse_file(path)


def test_binary_junk_with_a_text_name_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(range(256)) * 100)
    assert format_of(path, path.read_bytes()[:HEAD_BYTES]) == "txt"
    with pytest.raises(Rejected, match="binary"):
        parse_file(path)
