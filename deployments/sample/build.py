"""Build the sample drop's binary files from the texts in `sources/`.

    python deployments/sample/build.py [FOLDER]

A source is plain text: `#` and `##` are headings, `-` and `1.` items, `|` table rows, `---` starts
a new page or slide, and every other line is a paragraph. With the pinned libraries a rebuild
changes no byte, so that git shows a difference only where a text has changed.
"""

from __future__ import annotations

import csv
import re
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import docx
import openpyxl
import pptx
from fpdf import FPDF, FontFace
from openpyxl.styles import Font

SAMPLE = Path(__file__).parent
AUTHOR = "Ketteridge Pumps"
WRITTEN = datetime(2026, 7, 9, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Block:
    """One line of a source, or the consecutive lines of one table.

    `level` is a heading's depth from 1, and 0 for everything else; `cells` are a table's rows.
    """

    text: str = ""
    level: int = 0
    item: bool = False
    cells: tuple[tuple[str, ...], ...] = ()


def read_pages(name: str) -> list[list[Block]]:
    """The blocks of each page of the source of that name."""
    text = (SAMPLE / "sources" / name).read_text(encoding="utf-8")
    return [list(read_blocks(page)) for page in text.split("\n---\n")]


def read_blocks(page: str) -> Iterator[Block]:
    lines = [line for line in page.splitlines() if line]
    for is_row, group in groupby(lines, key=lambda line: line.startswith("|")):
        if is_row:
            yield Block(cells=tuple(tuple(row.strip("| ").split(" | ")) for row in group))
            continue
        for line in group:
            if heading := re.fullmatch(r"(#+) (.+)", line):
                yield Block(heading[2], level=len(heading[1]))
            elif line.startswith("- "):
                yield Block(line.removeprefix("- "), item=True)
            else:
                yield Block(line, item=re.match(r"\d+\. ", line) is not None)


def build_docx(source: str, target: Path) -> None:
    """Headings carry Word's heading styles: level 1 is the title, level 2 is Heading 1."""
    document = docx.Document()
    for block in (block for page in read_pages(source) for block in page):
        if block.level:
            document.add_heading(block.text, block.level - 1)
        elif block.cells:
            table = document.add_table(len(block.cells), len(block.cells[0]), style="Table Grid")
            for row, values in zip(table.rows, block.cells, strict=True):
                for cell, value in zip(row.cells, values, strict=True):
                    cell.text = value
        else:
            document.add_paragraph(block.text, style="List Bullet" if block.item else None)
    document.core_properties.title = read_pages(source)[0][0].text
    document.core_properties.author = AUTHOR
    document.save(str(target))
    fix_times(target)


def build_pdf(source: str, target: Path) -> None:
    """A4 pages in a core font, each page of the source on a page of its own."""
    pages = read_pages(source)
    pdf = FPDF(format="A4")
    pdf.set_margins(25, 22)
    pdf.set_title(pages[0][0].text)
    pdf.set_author(AUTHOR)
    pdf.set_creation_date(WRITTEN)
    for page in pages:
        pdf.add_page()
        for block in page:
            add_to_pdf(pdf, block)
    if pdf.page_no() != len(pages):
        raise SystemExit(f"{source}: {len(pages)} pages are meant, {pdf.page_no()} came out")
    pdf.output(str(target))


def add_to_pdf(pdf: FPDF, block: Block) -> None:
    if block.cells:
        pdf.set_font("Helvetica", size=10)
        widths = [max(map(len, column)) for column in zip(*block.cells, strict=True)]
        bold = FontFace(emphasis="B")
        with pdf.table(col_widths=widths, headings_style=bold, text_align="L") as table:
            for values in block.cells:
                table.row(values)
        pdf.ln(4)
        return
    size = {0: 10.5, 1: 18, 2: 13}[block.level]
    pdf.set_font("Helvetica", style="B" if block.level else "", size=size)
    if block.level == 2:
        pdf.ln(3)
    pdf.multi_cell(0, size * 0.5, block.text, align="L", new_x="LMARGIN", new_y="NEXT")
    pdf.ln(1.5 if block.item else 3)


def build_pptx(source: str, target: Path) -> None:
    """One slide a page: the heading is its title, the items are its bullets."""
    presentation = pptx.Presentation()
    for number, (title, *items) in enumerate(read_pages(source)):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1 if number else 0])
        slide.shapes.title.text = title.text
        slide.placeholders[1].text = "\n".join(item.text for item in items)
    presentation.core_properties.title = read_pages(source)[0][0].text
    presentation.core_properties.author = AUTHOR
    presentation.save(str(target))
    fix_times(target)


def build_xlsx(sheets: dict[str, str], target: Path) -> None:
    """One sheet a CSV source; prices and days are numbers, order numbers stay text."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for title, source in sheets.items():
        sheet = workbook.create_sheet(title)
        with (SAMPLE / "sources" / source).open(encoding="utf-8", newline="") as lines:
            header, *rows = csv.reader(lines)
        sheet.append(header)
        for row in rows:
            sheet.append([number(value, column) for column, value in zip(header, row, strict=True)])
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        for column in sheet.columns:
            letter = column[0].column_letter
            sheet.column_dimensions[letter].width = 2 + max(len(str(cell.value)) for cell in column)
            if column[0].value == "Price in GBP":
                for cell in column[1:]:
                    cell.number_format = "#,##0.00"
        sheet.freeze_panes = "A2"
    workbook.properties.title = "Price list 2026"
    workbook.properties.creator = AUTHOR
    workbook.save(target)
    fix_times(target)


def number(value: str, column: str) -> str | int | float:
    if column == "Price in GBP":
        return float(value)
    return int(value) if column == "Delivery in working days" else value


def fix_times(path: Path) -> None:
    """Give an Office file and the parts of its archive one fixed time instead of today's."""
    with zipfile.ZipFile(path) as archive:
        parts = [(name, archive.read(name)) for name in archive.namelist()]
    stamp = f"{WRITTEN:%Y-%m-%dT%H:%M:%SZ}".encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in parts:
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", stamp, data)  # noqa: PLW2901
            part = zipfile.ZipInfo(name, WRITTEN.timetuple()[:6])
            archive.writestr(part, data, zipfile.ZIP_DEFLATED)


def main(drop: Path) -> None:
    """Write every binary file of the sample under the folder `drop`."""
    for folder in ("people", "reports", "safety", "sales", "service"):
        (drop / folder).mkdir(parents=True, exist_ok=True)
    build_docx("onboarding-guide.md", drop / "people/onboarding-guide.docx")
    build_pptx("q2-review.md", drop / "reports/2026-q2-review.pptx")
    build_pdf("brinol-20-safety-data-sheet.md", drop / "safety/brinol-20-safety-data-sheet.pdf")
    build_pdf("tc-65-service-manual.md", drop / "service/tc-65-service-manual.pdf")
    build_xlsx(
        {"Pumps": "pumps.csv", "Spare parts": "spare-parts.csv"},
        drop / "sales/price-list-2026.xlsx",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE / "drop")
