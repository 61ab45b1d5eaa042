"""Messages: who wrote to whom, the body once, and attachments as sections."""

from __future__ import annotations

from email.message import EmailMessage
from pathlib import Path

import pytest

from tasks.errors import Rejected
from tasks.records import Document
from tests.ingest.parse_fixtures import parse_bytes, parse_file, texts, write_docx, write_msg


def message(body: str = "The Aurora is late.") -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = "Fog in the harbour ☸"
    mail["From"] = "Ada Berg <ada@port.example>"
    mail["To"] = "Ben <ben@port.example>, cleo@port.example"
    mail["Date"] = "Mon, 04 May 2026 09:30:00 +0200"
    mail.set_content(body)
    return mail


def parsed(folder: Path, mail: EmailMessage) -> Document:
    return parse_bytes(folder, "a.eml", mail.as_bytes())


def test_headers_are_metadata_and_the_subject_is_the_title(tmp_path: Path) -> None:
    document = parsed(tmp_path, message())
    assert document.title == "Fog in the harbour ☸"
    assert document.metadata["from"] == "Ada Berg <ada@port.example>"
    assert document.metadata["to"] == ["Ben <ben@port.example>", "cleo@port.example"]
    assert document.metadata["date"] == "2026-05-04T09:30:00+02:00"
    header, body = texts(document)
    assert header.startswith("From: Ada Berg <ada@port.example>\nTo: Ben")
    assert body == "The Aurora is late."


def test_the_body_is_read_once_and_as_html_where_there_is_html(tmp_path: Path) -> None:
    mail = message("plain words")
    mail.add_alternative("<h2>Fog</h2><ul><li>rich words</li></ul>", subtype="html")
    assert texts(parsed(tmp_path, mail))[1:] == ["Fog", "rich words"]


def test_attachments_are_sections_and_unreadable_ones_are_named(tmp_path: Path) -> None:
    mail = message()
    mail.add_attachment("tide,height\nebb,1\n", subtype="csv", filename="tides.csv")
    report = write_docx(tmp_path / "r.docx").read_bytes()
    mail.add_attachment(report, maintype="application", subtype="x", filename="report.docx")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="logo.png")
    mail.add_attachment(b"ID3\x04\0\0", maintype="audio", subtype="mpeg", filename="../../a.mp3")
    document = parsed(tmp_path, mail)
    sections = {element.section: element.text for element in document.elements}
    assert sections["tides.csv"] == "tide: ebb; height: 1"
    assert "Aurora" in sections["report.docx"]
    assert document.metadata["attachments"] == [
        "tides.csv",
        "report.docx",
        "logo.png",
        "../../a.mp3",
    ]
    assert set(document.metadata["attachments_not_read"]) == {"logo.png", "../../a.mp3"}


def test_an_attachments_name_cannot_leave_its_folder(tmp_path: Path) -> None:
    mail = message()
    mail.add_attachment("planted", filename="../../../../tmp/openbook-planted.txt")
    assert "planted" in parsed(tmp_path, mail).text
    assert not Path("/tmp/openbook-planted.txt").exists()


def test_a_forwarded_message_is_a_section(tmp_path: Path) -> None:
    mail = message("see below")
    mail.add_attachment(message("the inner words"))
    document = parsed(tmp_path, mail)
    assert [e.section for e in document.elements if e.text == "the inner words"] == [
        "Fog in the harbour ☸"
    ]


@pytest.mark.parametrize("charset", ["iso-2022-jp", "shift_jis", "utf-8"])
def test_the_declared_charset_is_used(tmp_path: Path, charset: str) -> None:
    mail = EmailMessage()
    mail["Subject"] = "x"
    mail.set_content("港に船が入りました", charset=charset)
    assert texts(parsed(tmp_path, mail))[-1] == "港に船が入りました"


@pytest.mark.parametrize(
    "headers",
    [
        b"Subject: =?utf-8?B?broken\nDate: never\nTo: <<>>,;\n",
        b"Content-Type: text/plain; charset=no-such-charset\n",
        b"Content-Transfer-Encoding: base64\nSubject: x\n",
        b"Content-Type: multipart/mixed; boundary=missing\nSubject: x\n",
    ],
)
def test_malformed_headers_do_not_lose_the_body(tmp_path: Path, headers: bytes) -> None:
    body = b"cGxhaW4=\n" if b"base64" in headers else b"plain\n"
    assert "plain" in parse_bytes(tmp_path, "a.eml", headers + b"\n" + body).text


def test_an_encrypted_message_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="encrypted"):
        parse_bytes(
            tmp_path, "a.eml", b"Content-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n"
        )


def test_an_outlook_message_is_read_with_its_attachment(tmp_path: Path) -> None:
    path = write_msg(
        tmp_path / "a.msg", "Fog", "The Aurora is late.", ("../n.txt", b"attached words")
    )
    document = parse_file(path)
    assert document.title == "Fog"
    assert texts(document) == ["The Aurora is late.", "attached words"]
    assert document.elements[-1].section == "../n.txt"
