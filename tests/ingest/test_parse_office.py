"""Documents, presentations, sheets and books of the usual programs."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import docx
import pytest

from tasks.errors import MissingTool, Rejected
from tests.ingest.parse_fixtures import (
    outline,
    parse_bytes,
    parse_file,
    texts,
    write_docx,
    write_docx_body,
    write_epub,
    write_odf,
    write_ole,
    write_pptx,
    write_xlsx,
)


def test_a_word_document_with_its_structure(tmp_path: Path) -> None:
    document = parse_file(write_docx(tmp_path / "a.docx"))
    assert document.title == "Harbour report"
    assert document.metadata["author"] == "Ada Berg"
    assert outline(document) == [(1, "Harbour report"), (1, "Arrivals"), (2, "Delays")]
    assert texts(document, "ListItem") == ["Fog", "Strike"]
    assert texts(document, "Table") == [
        "Ship: Aurora; Cargo: timber; Tons: 900\nShip: Borea; Cargo: grain; Tons: 1200"
    ]
    assert texts(document, "Header") == ["Port of Kiel"]


def test_word_headings_are_known_by_outline_level_and_by_the_names_of_styles(
    tmp_path: Path,
) -> None:
    styles = (
        '<w:style w:type="paragraph" w:styleId="HA"><w:name w:val="HeadB"/></w:style>',
        '<w:style w:type="paragraph" w:styleId="OL"><w:name w:val="Mine"/>'
        '<w:pPr><w:outlineLvl w:val="2"/></w:pPr></w:style>',
        '<w:style w:type="paragraph" w:styleId="OLX"><w:name w:val="Child"/>'
        '<w:basedOn w:val="OL"/></w:style>',
    )
    paragraph = '<w:p><w:pPr><w:pStyle w:val="{}"/></w:pPr><w:r><w:t>{}</w:t></w:r></w:p>'
    blocks = [paragraph.format(style, style) for style in ("HA", "OL", "OLX")]
    blocks.append('<w:p><w:pPr><w:outlineLvl w:val="3"/></w:pPr><w:r><w:t>own</w:t></w:r></w:p>')
    document = parse_file(write_docx_body(tmp_path / "a.docx", *blocks, styles=styles))
    assert outline(document) == [(2, "HA"), (3, "OL"), (3, "OLX"), (4, "own")]


def test_lines_of_code_in_word_are_one_listing(tmp_path: Path) -> None:
    style = '<w:style w:type="paragraph" w:styleId="Co"><w:name w:val="Source Code"/></w:style>'
    line = (
        '<w:p><w:pPr><w:pStyle w:val="Co"/></w:pPr>'
        '<w:r><w:t xml:space="preserve">{}</w:t></w:r></w:p>'
    )
    blocks = [line.format(text) for text in ("def f():", "    x = 1", "", "    return x")]
    document = parse_file(write_docx_body(tmp_path / "a.docx", *blocks, styles=[style]))
    assert texts(document, "CodeSnippet") == ["def f():\n    x = 1\n\n    return x"]


@pytest.mark.parametrize(
    "block",
    [
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>needle</w:t></w:r></w:p></w:sdtContent></w:sdt>",
        "<w:p><w:ins><w:r><w:t>needle</w:t></w:r></w:ins></w:p>",
        "<w:p><w:hyperlink><w:smartTag><w:r><w:t>needle</w:t></w:r></w:smartTag></w:hyperlink></w:p>",
        "<w:p><w:r><w:pict><w:txbxContent><w:p><w:r><w:t>needle</w:t></w:r></w:p></w:txbxContent></w:pict></w:r></w:p>",
    ],
)
def test_text_that_word_keeps_outside_of_plain_paragraphs_is_read(
    tmp_path: Path, block: str
) -> None:
    assert texts(parse_file(write_docx_body(tmp_path / "a.docx", block))) == ["needle"]


def test_deleted_text_and_tables_of_contents_are_not_read(tmp_path: Path) -> None:
    style = '<w:style w:type="paragraph" w:styleId="T1"><w:name w:val="toc 1"/></w:style>'
    blocks = (
        "<w:p><w:r><w:t>kept</w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>",
        '<w:p><w:pPr><w:pStyle w:val="T1"/></w:pPr><w:r><w:t>Chapter 7</w:t></w:r></w:p>',
    )
    assert texts(parse_file(write_docx_body(tmp_path / "a.docx", *blocks, styles=[style]))) == [
        "kept"
    ]


def test_a_saved_again_word_document_gives_the_same_elements(tmp_path: Path) -> None:
    path = write_docx(tmp_path / "a.docx")
    again = docx.Document(str(path))
    again.core_properties.modified = datetime(2031, 1, 1, tzinfo=UTC)
    for paragraph in again.paragraphs:  # Word splits runs as it likes
        for run in paragraph.runs:
            head, run.text = run.text[:3], run.text[3:]
            paragraph._p.insert(paragraph._p.index(run._r), docx.oxml.parse_xml(run._r.xml))
            paragraph.runs[0].text = head
            break
    again.save(str(tmp_path / "b.docx"))
    first, second = parse_file(path), parse_file(tmp_path / "b.docx")
    assert first.elements == second.elements
    assert first.metadata == second.metadata


@pytest.mark.parametrize("name", ["a.docx", "a.pptx", "a.xlsx", "a.epub"])
def test_a_truncated_document_is_rejected(tmp_path: Path, name: str) -> None:
    writers = {".docx": write_docx, ".pptx": write_pptx, ".epub": write_epub}
    path = tmp_path / name
    if path.suffix in writers:
        writers[path.suffix](path)
    else:
        write_xlsx(path, {"S": [["a", "b"]]})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(Rejected, match="damaged"):
        parse_file(path)


def test_slides_are_sections_with_tables_charts_and_notes(tmp_path: Path) -> None:
    document = parse_file(write_pptx(tmp_path / "a.pptx"))
    assert document.title == "Harbour plan"
    assert outline(document) == [(1, "Harbour plan"), (1, "Figures")]
    assert [(e.page, e.section, e.text) for e in document.elements if e.depth is None] == [
        (1, None, "Dredge the north basin"),
        (1, None, "Ask the council about money."),
        (2, None, "Year: 2025; Ships: 310; Tons: 88000"),
        (2, None, "spring; Arrivals: 120\nautumn; Arrivals: 95"),
        (3, "Slide 3", "Thank you for listening to all of this."),
    ]


def test_sheets_are_sections_and_rows_carry_their_headers(tmp_path: Path) -> None:
    rows = [
        ["Fleet 2026"],
        [],
        ["Ship", "Tons", "Since"],
        ["Aurora", 900.0, "2020-05-01"],
        ["Borea", 0.1 + 0.2, True],
    ]
    path = write_xlsx(tmp_path / "a.xlsx", {"Fleet": rows, "Notes": [["only words"]], "Empty": []})
    document = parse_file(path)
    assert [(e.section, e.text) for e in document.elements] == [
        ("Fleet", "Fleet 2026"),
        (
            "Fleet",
            "Ship: Aurora; Tons: 900; Since: 2020-05-01\nShip: Borea; Tons: 0.3; Since: TRUE",
        ),
        ("Notes", "only words"),
    ]
    assert document.metadata["sheets"] == ["Fleet", "Notes", "Empty"]


def test_an_inserted_row_moves_few_groups_of_rows(tmp_path: Path) -> None:
    rows = [["Ship", "Cargo"], *([f"ship {n}", f"cargo number {n}"] for n in range(2000))]
    before = parse_file(write_xlsx(tmp_path / "a.xlsx", {"S": rows}))
    rows.insert(5, ["ship new", "cargo new"])
    after = parse_file(write_xlsx(tmp_path / "b.xlsx", {"S": rows}))
    fresh = set(texts(after)) - set(texts(before))
    assert len(before.elements) > 80
    assert len(fresh) <= 4


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("Ship,Tons\nAurora,900\n", "Ship: Aurora; Tons: 900"),
        ("Ship;Tons\nAurora;9,5\n", "Ship: Aurora; Tons: 9,5"),
        ("Ship\tTons\nAurora\t900\n", "Ship: Aurora; Tons: 900"),
        ('Ship|Note\nAurora|"two\nlines"\n', "Ship: Aurora; Note: two lines"),
        ("1,2,3\n4,5,6\n", "1 | 2 | 3\n4 | 5 | 6"),
        ("Ship,Tons\nAurora\n,900,extra\n", "Ship: Aurora\nTons: 900; extra"),
    ],
)
def test_delimited_text_is_understood(tmp_path: Path, source: str, expected: str) -> None:
    assert texts(parse_bytes(tmp_path, "a.csv", source)) == [expected]


def test_a_cell_of_ten_megabytes_is_read(tmp_path: Path) -> None:
    document = parse_bytes(tmp_path, "a.csv", "name,text\none," + "word " * 2_000_000 + "end\n")
    assert document.text.endswith("end")


def test_an_opendocument_text(tmp_path: Path) -> None:
    body = (
        '<text:p text:style-name="Title">Harbour</text:p>'
        '<text:h text:outline-level="2">Fog</text:h>'
        "<text:p>It<text:s text:c='3'/>was<text:line-break/>thick<text:note><text:note-body>"
        "<text:p>A note.</text:p></text:note-body></text:note>.</text:p>"
        "<text:list><text:list-item><text:p>one</text:p></text:list-item></text:list>"
        '<text:p text:style-name="Preformatted_20_Text">x = 1</text:p>'
        '<text:p text:style-name="Preformatted_20_Text">y = 2</text:p>'
        "<table:table><table:table-row><table:table-cell><text:p>Ship</text:p></table:table-cell>"
        "<table:table-cell><text:p>Tons</text:p></table:table-cell></table:table-row><table:table-row>"
        "<table:table-cell><text:p>A</text:p></table:table-cell>"
        "<table:table-cell><text:p>900</text:p></table:table-cell></table:table-row></table:table>"
    )
    document = parse_file(write_odf(tmp_path / "a.odt", "text", body))
    assert outline(document) == [(1, "Harbour"), (2, "Fog")]
    assert texts(document)[2:] == [
        "It was\nthick.",
        "A note.",
        "one",
        "x = 1\ny = 2",
        "Ship: A; Tons: 900",
    ]


def test_an_opendocument_presentation(tmp_path: Path) -> None:
    frame = "<draw:frame{}><draw:text-box><text:p>{}</text:p></draw:text-box></draw:frame>"
    titled = frame.format(' presentation:class="title"', "Plan") + frame.format("", "Dredge it.")
    body = (
        f"<draw:page>{titled}</draw:page><draw:page>{frame.format('', 'Alone here.')}</draw:page>"
    )
    document = parse_file(write_odf(tmp_path / "a.odp", "presentation", body))
    assert [(e.page, e.section, e.text) for e in document.elements] == [
        (1, None, "Plan"),
        (1, None, "Dredge it."),
        (2, "Slide 2", "Alone here."),
    ]


def test_a_book_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    document = parse_file(write_epub(tmp_path / "a.epub"))
    assert document.title == "Sea letters"
    assert texts(document) == ["Out", "We left at dawn in fog.", "Home", "We came back at dusk."]


def test_rich_text_keeps_headings_tables_and_foreign_letters(tmp_path: Path) -> None:
    source = (
        r"{\rtf1\ansi\ansicpg1252{\stylesheet{\s1 heading 1;}{\s2\snext0 heading 2;}}"
        r"{\pard\s1 Hafen\par}{\pard\outlinelevel1 Nebel\par}"
        r"{\pard Br\'f6tchen f\u252?r alle.\par}"
        r"{\trowd\cellx1\cellx2\pard\intbl Ship\cell Tons\cell\row\pard\intbl A\cell 900\cell\row}}"
    )
    document = parse_bytes(tmp_path, "a.rtf", source)
    assert outline(document) == [(1, "Hafen"), (2, "Nebel")]
    assert texts(document)[2:] == ["Brötchen für alle.", "Ship: A; Tons: 900"]


@pytest.mark.skipif(bool(shutil.which("soffice")), reason="LibreOffice is here")
@pytest.mark.parametrize(
    ("name", "stream"), [("a.doc", "WordDocument"), ("a.ppt", "PowerPoint Document")]
)
def test_the_formats_of_before_2007_name_the_program_to_install(
    tmp_path: Path, name: str, stream: str
) -> None:
    with pytest.raises(MissingTool) as caught:
        parse_file(write_ole(tmp_path / name, {stream: b"x" * 100}))
    assert "LibreOffice" in caught.value.remedy


@pytest.mark.skipif(not shutil.which("soffice"), reason="LibreOffice is not here")
def test_the_formats_of_before_2007_are_read_through_libreoffice(tmp_path: Path) -> None:
    path = tmp_path / "a.doc"  # LibreOffice goes by content, and reads rtf under any name
    path.write_bytes(rb"{\rtf1\ansi{\pard\outlinelevel0 Hafen\par}{\pard Nebel im Hafen.\par}}")
    from tasks.ingest.parse.readers.office import read_doc

    assert "Nebel im Hafen." in texts(read_doc(path))
