"""Files made to break a parser: each is read or rejected with a reason, and the pool goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fpdf import FPDF

from tasks.errors import Rejected
from tasks.ingest.parse import HEAD_BYTES, ParserPool, format_of
from tasks.records import Document
from tasks.settings import Settings
from tests.ingest.parse_fixtures import write_docx, write_xlsx, write_zip

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParserPool]:
    limits = {"parse_workers": 1, "parse_seconds": 30, "parse_megabytes": 1024}
    with ParserPool(Settings(home=tmp_path_factory.mktemp("home"), **limits)) as opened:
        yield opened


def parsed(pool: ParserPool, path: Path, content: bytes | str | None = None) -> Document:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return pool.parse(path, format_of(path, head))


@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.html"])
def test_a_single_line_of_ten_megabytes_is_read_to_its_end(
    pool: ParserPool, tmp_path: Path, name: str
) -> None:
    assert parsed(pool, tmp_path / name, "word " * (2 * MEGABYTE) + "end").text.endswith("end")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.md", "[" * 10_000),
        ("a.md", "*a **b " * 10_000),
        ("a.md", "![[" * 5_000),
        ("a.txt", "a. " * 100_000),
        ("a.txt", "a\n\n" * 50_000),
        ("a.csv", "a,b\n" + "1,2\n" * 50_000),
        ("a.json", "[" * 50_000),
        ("a.json", "[" + "0," * 100_000 + "0]"),
        ("a.org", "* " + " " * 50_000 + "x\n" + "*a " * 20_000),
        ("a.adoc", "a" * 100_000 + "[" * 5_000),
        ("a.tex", "\\begin{verbatim}" * 5_000 + "\\label[" * 5_000 + "\\section{" * 5_000 + "x"),
        ("a.rst", ":a" * 50_000 + "`" * 1_000),
        ("a.rtf", "{\\rtf1 " + "\\s1" * 50_000 + "{" * 500 + "x"),
        ("a.xml", "<a>" + "<![CDATA[" * 50_000 + "x]]></a>"),
        ("a.xml", "<a>" + "<b>1</b>" * 100_000 + "</a>"),
        ("a.html", "<a " + "x " * 100_000 + "<p>" * 3),
        ("a.py", "x\n" + "\n" * 300_000 + "  y\n"),
        ("a.vtt", "WEBVTT\n\n" + "00:00.000 --> 00:01.000\n<v " * 20_000),
        ("a.eml", "Subject: x\nTo: " + "a@b, " * 2_000 + "\n\nbody"),
        (
            "a.eml",
            "Content-Type: multipart/mixed; boundary=b\n\n"
            + "--b\nContent-Type: text/plain\n\nx\n" * 500,
        ),
        (
            "a.md",
            "---\na: &a [x]\nb: &b ["
            + "*a," * 5_000
            + "x]\nc: ["
            + "*b," * 5_000
            + "x]\n---\ntext",
        ),
    ],
)
def test_what_makes_parsers_slow_is_done_in_time(
    pool: ParserPool, tmp_path: Path, name: str, source: str
) -> None:
    try:
        assert parsed(pool, tmp_path / name, source).elements
    except Rejected as rejected:
        assert "seconds" not in rejected.message
        assert "crashed" not in rejected.message


LAUGHS = (
    '<!DOCTYPE l [<!ENTITY a "ha">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>"
)


@pytest.mark.parametrize("name", ["a.xml", "a.svg", "a.html"])
def test_a_billion_laughs_stay_unlaughed(pool: ParserPool, tmp_path: Path, name: str) -> None:
    document = parsed(pool, tmp_path / name, f"{LAUGHS}<r><p>&i; end</p></r>")
    assert document.text.endswith("end")
    assert len(document.text) < 5_000


def test_a_billion_laughs_in_a_word_document_stay_unlaughed(
    pool: ParserPool, tmp_path: Path
) -> None:
    from zipfile import ZipFile

    with ZipFile(write_docx(tmp_path / "good.docx")) as good:
        parts = {name: good.read(name) for name in good.namelist()}
    body = parts["word/document.xml"].decode()
    declaration, _, rest = body.partition("?>")
    rest = rest.replace("The Aurora arrived", "&i;The Aurora arrived")
    parts["word/document.xml"] = f"{declaration}?>{LAUGHS}{rest}".encode()
    with pytest.raises(Rejected, match="amplification"):
        parsed(pool, write_zip(tmp_path / "a.docx", parts))


@pytest.mark.parametrize("extension", ["docx", "xlsx"])
def test_a_decompression_bomb_is_rejected_before_it_is_unpacked(
    pool: ParserPool, tmp_path: Path, extension: str
) -> None:
    parts: dict[str, bytes | str] = {
        "[Content_Types].xml": "<Types/>",
        "word/document.xml": b"<a>" + b" " * (100 * MEGABYTE),
    }
    path = write_zip(tmp_path / f"a.{extension}", parts)
    assert path.stat().st_size < MEGABYTE
    with pytest.raises(Rejected, match="unpacks"):
        parsed(pool, path)


def test_a_part_that_lies_about_its_size_is_rejected(pool: ParserPool, tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", {"S": [["a" * 1000, "b"]]})
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = data.find(signature)
        while at >= 0:
            data[at + offset : at + offset + 4] = (1).to_bytes(4, "little")
            at = data.find(signature, at + 4)
    path.write_bytes(data)
    with pytest.raises(Rejected):
        parsed(pool, path)


def test_a_pdf_of_five_hundred_pages_is_read(pool: ParserPool, tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=12)
    for number in range(500):
        pdf.add_page()
        pdf.cell(0, 10, f"Ship number {number} arrives.")
    pdf.output(str(tmp_path / "a.pdf"))
    document = parsed(pool, tmp_path / "a.pdf")
    assert document.elements[-1].page == 500
    assert len(document.elements) == 500


def test_a_mail_of_a_thousand_attachments_lists_them_all(pool: ParserPool, tmp_path: Path) -> None:
    part = '--b\nContent-Disposition: attachment; filename="{}.txt"\n\nwords\n'
    head = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n"
    document = parsed(
        pool, tmp_path / "a.eml", head + "".join(map(part.format, range(1000))) + "--b--\n"
    )
    assert len(document.metadata["attachments"]) == 1000
    assert len(document.elements) == 100


def test_more_text_than_the_limit_is_rejected(pool: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="64,000,000 characters"):
        parsed(pool, tmp_path / "a.txt", b"word " * 13_000_000)


def test_the_pool_has_survived_it_all(pool: ParserPool, tmp_path: Path) -> None:
    assert parsed(pool, tmp_path / "a.txt", "fine").text == "fine"
