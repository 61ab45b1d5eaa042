"""pdf: text with its pages and headings; scans say what is missing, and work once it is there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fpdf import FPDF

from tasks.errors import MissingTool, Rejected
from tasks.ingest.parse.readers.pdf_layout import fold
from tests.ingest.parse_fixtures import outline, parse_file, texts, write_pdf, write_scan

needs_tesseract = pytest.mark.skipif(not shutil.which("tesseract"), reason="tesseract is not here")


def test_pages_headings_and_properties(tmp_path: Path) -> None:
    document = parse_file(write_pdf(tmp_path / "a.pdf"))
    assert document.title == "Tide tables"
    assert document.metadata["author"] == "Ada Berg"
    assert document.metadata["pages"] == 4
    basins = [(2, f"Basin {basin}") for basin in "ABCD"]
    assert outline(document) == [(1, "Tide tables"), *basins]
    assert [e.page for e in document.elements if e.depth == 2] == [1, 2, 3, 4]


def test_a_wrapped_paragraph_is_one_element_and_running_heads_come_once(tmp_path: Path) -> None:
    document = parse_file(write_pdf(tmp_path / "a.pdf"))
    prose = texts(document, "NarrativeText")
    assert prose == [" ".join([f"High water in basin {n} comes late."] * 12) for n in (1, 2, 3, 4)]
    assert texts(document, "Header") == ["Port authority bulletin"]
    assert "4" not in texts(document)


def test_bookmarks_decide_what_a_heading_is(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.set_font("helvetica", size=10)
    for part in ("One", "Two"):
        pdf.add_page()
        for level, name in enumerate((f"Part {part}", f"Detail {part}")):
            pdf.start_section(name, level=level)
            pdf.cell(0, 12, name, new_x="LMARGIN", new_y="NEXT")
            pdf.multi_cell(0, 5, "Ships come and go with the tide. " * 10)
    pdf.output(str(tmp_path / "a.pdf"))
    assert outline(parse_file(tmp_path / "a.pdf")) == [
        (1, "Part One"),
        (2, "Detail One"),
        (1, "Part Two"),
        (2, "Detail Two"),
    ]


def test_the_rows_of_a_table_stay_lines(tmp_path: Path) -> None:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("helvetica", size=10)
    for row in (("Ship", "Cargo", "Tons"), ("Aurora", "timber", "900"), ("Borea", "grain", "80")):
        for cell in row:
            pdf.cell(50, 6, cell)
        pdf.ln()
    pdf.output(str(tmp_path / "a.pdf"))
    assert texts(parse_file(tmp_path / "a.pdf"), "Table") == [
        "Ship | Cargo | Tons\nAurora | timber | 900\nBorea | grain | 80"
    ]


@pytest.mark.parametrize(
    ("shown", "bookmark"),
    [("1.2 Tides", "Tides"), ("Chapter 3: Fog", "3. Fog"), ("A. Ebb", "Ebb"), ("IV. Flow", "flow")],
)
def test_a_bookmark_is_found_with_or_without_its_number(shown: str, bookmark: str) -> None:
    assert fold(shown) == fold(bookmark)


def test_a_password_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="password"):
        parse_file(write_pdf(tmp_path / "a.pdf", password="secret"))


@pytest.mark.parametrize("kept", [20, 300, 1500])
def test_a_truncated_pdf_is_rejected(tmp_path: Path, kept: int) -> None:
    path = write_pdf(tmp_path / "a.pdf")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(Rejected, match=r"can be read|No text"):
        parse_file(path)


@pytest.mark.skipif(bool(shutil.which("tesseract")), reason="tesseract is here")
@pytest.mark.parametrize("name", ["scan.pdf", "scan.png"])
def test_a_scan_names_the_program_to_install(tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingTool) as caught:
        parse_file(write_scan(tmp_path / name, "High water"))
    assert "picture" in caught.value.message
    assert "tesseract-ocr" in caught.value.remedy


@needs_tesseract
@pytest.mark.parametrize("name", ["scan.pdf", "scan.png"])
def test_a_scan_is_read_by_tesseract(tmp_path: Path, name: str) -> None:
    document = parse_file(write_scan(tmp_path / name, "High water at noon"))
    assert texts(document) == ["High water at noon"]
    assert document.elements[0].page == (1 if name.endswith("pdf") else None)
