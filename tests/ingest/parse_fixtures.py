"""Files in every binary format that the parser reads, made on the spot."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import docx
import pptx
import xlsxwriter
from docx.oxml import parse_xml
from fpdf import FPDF
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from tasks.ingest.parse import HEAD_BYTES, format_of, parse
from tasks.records import Document

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def parse_file(path: Path) -> Document:
    """Parse a file as the format that its name and content tell."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    return parse(path, format_of(path, head))


def parse_bytes(folder: Path, name: str, content: bytes | str) -> Document:
    """Write the content to a file of that name, and parse it."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return parse_file(path)


def outline(document: Document) -> list[tuple[int, str]]:
    """The document's headings with their levels."""
    return [(e.depth, e.text) for e in document.elements if e.depth is not None]


def texts(document: Document, category: str | None = None) -> list[str]:
    return [e.text for e in document.elements if category in (None, e.category)]


def write_docx(path: Path) -> Path:
    """A report with a title, headings, a list, a table, a header and stated properties."""
    document = docx.Document()
    document.core_properties.title = "Harbour report"
    document.core_properties.author = "Ada Berg"
    document.sections[0].header.paragraphs[0].text = "Port of Kiel"
    document.add_heading("Harbour report", 0)
    document.add_heading("Arrivals", 1)
    document.add_paragraph("The Aurora arrived on Monday with timber.")
    document.add_heading("Delays", 2)
    document.add_paragraph("Fog", style="List Bullet")
    document.add_paragraph("Strike", style="List Bullet")
    table = document.add_table(rows=3, cols=3)
    rows = [("Ship", "Cargo", "Tons"), ("Aurora", "timber", "900"), ("Borea", "grain", "1200")]
    for row, values in zip(table.rows, rows, strict=True):
        for cell, value in zip(row.cells, values, strict=True):
            cell.text = value
    document.save(str(path))
    return path


def write_docx_body(path: Path, *blocks: str, styles: Sequence[str] = ()) -> Path:
    """A Word document of raw WordprocessingML blocks, with further raw styles."""
    document = docx.Document()
    for style in styles:
        document.styles.element.append(
            parse_xml(style.replace("<w:style", f'<w:style xmlns:w="{W}"', 1))
        )
    body = document.element.body
    for block in blocks:
        body.insert(len(body) - 1, parse_xml(block.replace(">", f' xmlns:w="{W}">', 1)))
    document.save(str(path))
    return path


def write_pptx(path: Path) -> Path:
    """Three slides: a titled one with notes, one with a table and a chart, an untitled one."""
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Harbour plan"
    first.placeholders[1].text = "Dredge the north basin"
    first.notes_slide.notes_text_frame.text = "Ask the council about money."
    second = presentation.slides.add_slide(presentation.slide_layouts[5])
    second.shapes.title.text = "Figures"
    box = (Inches(1), Inches(2), Inches(4), Inches(2))
    table = second.shapes.add_table(2, 3, *box).table
    for column, (name, value) in enumerate((("Year", "2025"), ("Ships", "310"), ("Tons", "88000"))):
        table.cell(0, column).text, table.cell(1, column).text = name, value
    data = CategoryChartData()
    data.categories = ["spring", "autumn"]
    data.add_series("Arrivals", (120, 95))
    second.shapes.add_chart(XL_CHART_TYPE.BAR_CLUSTERED, *box, data)
    third = presentation.slides.add_slide(presentation.slide_layouts[6])
    third.shapes.add_textbox(*box).text_frame.text = "Thank you for listening to all of this."
    presentation.save(str(path))
    return path


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    with xlsxwriter.Workbook(path) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def write_pdf(path: Path, *, password: str | None = None) -> Path:
    """Four pages with a running head, page numbers, headings by size, and a stated title."""
    pdf = FPDF()
    pdf.set_title("Tide tables")
    pdf.set_author("Ada Berg")
    pdf.set_auto_page_break(False)
    for page in range(1, 5):
        pdf.add_page()
        pdf.set_font("helvetica", size=8)
        pdf.cell(0, 6, "Port authority bulletin", new_x="LMARGIN", new_y="NEXT")
        if page == 1:
            pdf.set_font("helvetica", style="B", size=22)
            pdf.cell(0, 16, "Tide tables", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("helvetica", style="B", size=15)
        pdf.cell(0, 12, f"Basin {'ABCD'[page - 1]}", new_x="LMARGIN", new_y="NEXT")
        pdf.set_font("helvetica", size=10)
        pdf.multi_cell(0, 5, f"High water in basin {page} comes late. " * 12)
        pdf.set_y(-20)
        pdf.cell(0, 5, str(page), align="C")
    if password:
        pdf.set_encryption(owner_password="owner", user_password=password)
    pdf.output(str(path))
    return path


def write_scan(path: Path, text: str) -> Path:
    """A page that is nothing but a picture of the text."""
    from PIL import Image, ImageDraw, ImageFont

    picture = Image.new("L", (1600, 400), 255)
    ImageDraw.Draw(picture).text((60, 120), text, fill=0, font=ImageFont.load_default(80))
    data = BytesIO()
    picture.save(data, "png")
    if path.suffix == ".png":
        path.write_bytes(data.getvalue())
        return path
    pdf = FPDF()
    pdf.add_page()
    pdf.image(data, x=10, y=10, w=180)
    pdf.output(str(path))
    return path


def write_zip(path: Path, parts: Mapping[str, bytes | str], stored: str = "mimetype") -> Path:
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content, ZIP_STORED if name == stored else ZIP_DEFLATED)
    return path


def write_epub(path: Path) -> Path:
    chapter = (
        '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head>'
        "<body><h1>{}</h1><p>{}<a id='x'/></p></body></html>"
    )
    return write_zip(
        path,
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": (
                '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
                '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
            ),
            "OPS/book.opf": (
                '<package xmlns="http://www.idpf.org/2007/opf"'
                ' xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>Sea letters'
                "</dc:title><dc:creator>Ada Berg</dc:creator></metadata><manifest>"
                '<item id="n" href="nav.xhtml" properties="nav"'
                ' media-type="application/xhtml+xml"/>'
                '<item id="b" href="two.xhtml" media-type="application/xhtml+xml"/>'
                '<item id="a" href="one%20.xhtml" media-type="application/xhtml+xml"/></manifest>'
                '<spine><itemref idref="n"/><itemref idref="a"/><itemref idref="b"/></spine>'
                "</package>"
            ),
            "OPS/nav.xhtml": chapter.format("Contents", "Out Home"),
            "OPS/one .xhtml": chapter.format("Out", "We left at dawn&nbsp;in fog."),
            "OPS/two.xhtml": chapter.format("Home", "We came back at dusk."),
        },
    )


def write_odf(path: Path, kind: str, body: str) -> Path:
    """An OpenDocument file of the given body; `kind` is text or presentation."""
    names = "".join(
        f' xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for prefix, name in (
            ("office", "office"),
            ("text", "text"),
            ("table", "table"),
            ("draw", "drawing"),
            ("style", "style"),
            ("presentation", "presentation"),
        )
    )
    return write_zip(
        path,
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}",
            "content.xml": (
                f"<office:document-content{names}><office:body><office:{kind}>{body}"
                f"</office:{kind}></office:body></office:document-content>"
            ),
        },
    )


def write_msg(path: Path, subject: str, body: str, attachment: tuple[str, bytes]) -> Path:
    """An Outlook message with one attachment."""
    name, content = attachment
    message = {
        "0037001F": subject.encode("utf-16-le"),
        "1000001F": body.encode("utf-16-le"),
        "001A001F": "IPM.Note".encode("utf-16-le"),
    }
    attached = {"3707001F": name.encode("utf-16-le"), "37010102": content}
    inside = _properties(attached, header=8)
    return write_ole(
        path, _properties(message, header=32), {"__attach_version1.0_#00000000": inside}
    )


def _properties(values: Mapping[str, bytes], header: int) -> dict[str, bytes]:
    """A list of properties and a stream for each; a key is the property's number and type."""
    listed = (
        struct.pack("<HHIQ", int(key[4:], 16), int(key[:4], 16), 6, len(value))
        for key, value in values.items()
    )
    streams = {f"__substg1.0_{key}": value for key, value in values.items()}
    return {"__properties_version1.0": b"\0" * header + b"".join(listed), **streams}


def write_ole(
    path: Path,
    streams: Mapping[str, bytes],
    storages: Mapping[str, Mapping[str, bytes]] | None = None,
) -> Path:
    """A compound file of version 3, all of its small streams in the mini stream."""
    free, end, fat_sector, none = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD, 0xFFFFFFFF
    mini, mini_fat = b"", []  # type: ignore[var-annotated]
    entries: list[tuple[str, int, int, int, int, int, int]] = []

    def add(name: str, data: bytes) -> int:
        nonlocal mini
        start = len(mini_fat) if data else end
        count = -(-len(data) // 64)
        mini_fat.extend(range(start + 1, start + count))
        mini_fat.extend([end] if count else [])
        mini += data.ljust(count * 64, b"\0")
        entries.append((name, 2, none, none, none, start, len(data)))
        return len(entries) - 1

    entries.append(("Root Entry", 5, none, none, none, 0, 0))

    def chain(numbers: list[int]) -> int:
        """Link siblings as a degenerate tree: each the right child of the one before."""
        ordered = sorted(numbers, key=lambda n: (len(entries[n][0]), entries[n][0].upper()))
        for left, right in pairwise(ordered):
            name, kind, _, _, child, start, size = entries[left]
            entries[left] = (name, kind, none, right, child, start, size)
        return ordered[0] if ordered else none

    children = [add(name, data) for name, data in streams.items()]
    for name, inside in (storages or {}).items():
        child = chain([add(inner, data) for inner, data in inside.items()])
        entries.append((name, 1, none, none, child, 0, 0))
        children.append(len(entries) - 1)
    top = chain(children)

    directory_sectors = -(-len(entries) // 4)
    mini_fat_sectors = -(-len(mini_fat) // 128) or 1
    mini_sectors = -(-len(mini) // 512)
    entries[0] = (
        "Root Entry",
        5,
        none,
        none,
        top,
        1 + directory_sectors + mini_fat_sectors,
        len(mini),
    )
    fat = [fat_sector]
    for count in (directory_sectors, mini_fat_sectors, mini_sectors):
        fat += [*range(len(fat) + 1, len(fat) + count), end] if count else []
    fat += [free] * (128 - len(fat))
    directory = b"".join(
        name.encode("utf-16-le").ljust(64, b"\0")
        + struct.pack("<HBBIII", 2 * len(name) + 2, kind, 1, left, right, child)
        + b"\0" * 36
        + struct.pack("<IQ", start, size)
        for name, kind, left, right, child, start, size in entries
    )
    header = (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
        + b"\0" * 16
        + struct.pack(
            "<HHHHH6xIIIIIIIIII",
            0x3E,
            3,
            0xFFFE,
            9,
            6,
            0,
            1,
            1,
            0,
            4096,
            1 + directory_sectors,
            mini_fat_sectors,
            end,
            0,
            0,
        )
        + struct.pack("<I", free) * 108
    )
    path.write_bytes(
        header
        + struct.pack("<128I", *fat)
        + directory.ljust(directory_sectors * 512, b"\0")
        + struct.pack(f"<{len(mini_fat)}I", *mini_fat).ljust(mini_fat_sectors * 512, b"\xff")
        + mini.ljust(mini_sectors * 512, b"\0")
    )
    return path
