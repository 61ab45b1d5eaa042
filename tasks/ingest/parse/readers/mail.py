"""Messages: eml by the standard library, msg by oxmsg, attachments by their formats' readers."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage, MIMEPart
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from tasks.errors import Rejected
from tasks.ingest.parse.elements import TEXT_LIMIT, Elements, prose
from tasks.ingest.parse.encoding import as_text, read_bytes
from tasks.ingest.parse.readers.html import add_html
from tasks.ingest.parse.readers.plain import add_plain
from tasks.records import Document

T = TypeVar("T")

_ATTACHMENTS_LIMIT = 100
_NESTING_LIMIT = 20
_SHOWN_RECIPIENTS = 10
_UNREAD = ("image", "zip", "ole")
"""Formats of attachments that are listed and not read: logos and archives, mostly."""

_ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")


def read_eml(path: Path) -> Document:
    """The headers, the body (HTML before plain text), then each attachment as a section."""
    message = _parse(read_bytes(path, 4 * TEXT_LIMIT))
    if message.get_content_type() in _ENCRYPTED:
        raise _encrypted()
    mail = _Mail(Elements())
    mail.add_message(message)
    return mail.document("eml")


def read_msg(path: Path) -> Document:
    """Outlook's own format, in the same shape as `read_eml`."""
    from oxmsg import Message

    try:
        message = Message.load(str(path))
        headers = {name.lower(): value for name, value in message.message_headers.items()}
        recipients = [f"{one.name} <{one.email_address}>" for one in message.recipients]
        attachments = [(one.file_name or "", one.file_bytes or b"") for one in message.attachments]
        html, plain = message.html_body, message.body
    except Exception as error:  # oxmsg raises whatever its parts raise
        raise Rejected(
            f"It is no Outlook message that can be read: {error}", "Save it again."
        ) from error
    if headers.get("content-type", "").split(";")[0] in _ENCRYPTED:
        raise _encrypted()
    mail = _Mail(Elements())
    mail.add_headers(
        message.subject or "",
        message.sender or headers.get("from", ""),
        recipients,
        [],
        message.sent_date,
    )
    if html:
        add_html(mail.elements, html)
    else:
        add_plain(mail.elements, plain or "")
    for name, content in attachments:
        mail.add_attachment(name, content)
    return mail.document("msg")


class _Mail:
    """One message, with the messages inside it."""

    def __init__(self, elements: Elements, nesting: int = 0) -> None:
        self.elements = elements
        self._nesting = nesting
        self._metadata: dict[str, Any] = {}
        self._attachments: list[str] = []
        self._unread: dict[str, str] = {}

    def document(self, format: str) -> Document:
        found = {"attachments": self._attachments, "attachments_not_read": self._unread}
        return self.elements.document(
            format, self._metadata.get("subject"), {**self._metadata, **found}
        )

    def add_message(self, message: EmailMessage) -> None:
        self.add_headers(
            _header(message, "subject"),
            _header(message, "from"),
            _addresses(message, "to"),
            _addresses(message, "cc"),
            _date(_header(message, "date")),
        )
        self._add_part(message)

    def add_headers(
        self, subject: str, sender: str, to: list[str], cc: list[str], sent: datetime | None
    ) -> None:
        """Put the headers into the metadata, and who wrote to whom into the text."""
        self._metadata |= {"subject": prose(subject), "from": sender, "to": to, "cc": cc}
        self._metadata["date"] = sent.isoformat() if sent else None
        shown = {
            "From": sender,
            "To": ", ".join(to[:_SHOWN_RECIPIENTS]),
            "Cc": ", ".join(cc[:_SHOWN_RECIPIENTS]),
            "Date": str(sent.date()) if sent else "",
        }
        lines = (f"{name}: {value}" for name, value in shown.items() if value)
        self.elements.paragraph("\n".join(lines), "Header")

    def add_attachment(self, name: str, content: bytes) -> None:
        """Read an attachment as a section of its name; list it where it cannot be read."""
        name = prose(name) or f"attachment {len(self._attachments) + 1}"
        self._attachments.append(name)
        if len(self._attachments) > _ATTACHMENTS_LIMIT:
            self._unread[name] = f"it comes after {_ATTACHMENTS_LIMIT} others"
            return
        try:
            self.elements.extend(_read_attachment(name, content).elements, section=name)
        except Rejected as rejected:
            self._unread[name] = rejected.message
        except Exception as error:  # of whatever library reads the attachment's format
            self._unread[name] = f"{type(error).__name__}: {error}"

    def _add_part(self, part: MIMEPart) -> None:
        kind = part.get_content_type()
        if kind == "message/rfc822":
            self._add_enclosed(part)
        elif kind == "multipart/alternative":
            self._add_best(list(part.iter_parts()))
        elif part.is_multipart():
            for one in part.iter_parts():
                self._add_part(one)
        elif part.is_attachment() or part.get_filename() or part.get_content_maintype() != "text":
            payload = part.get_payload(decode=True)
            self.add_attachment(
                part.get_filename() or "", payload if isinstance(payload, bytes) else b""
            )
        else:
            self._add_text(part)

    def _add_best(self, alternatives: list[MIMEPart]) -> None:
        """Of the same text in several formats, the HTML; without it, the last."""
        rich = [
            one
            for one in alternatives
            if one.get_content_type() == "text/html" or one.is_multipart()
        ]
        plain = [one for one in alternatives if one.get_content_maintype() == "text"]
        for one in (rich or plain or alternatives)[-1:]:
            self._add_part(one)

    def _add_text(self, part: MIMEPart) -> None:
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes) or not payload.strip():
            return
        text = as_text(payload, part.get_content_charset())
        add = add_html if part.get_content_subtype() == "html" else add_plain
        add(self.elements, text)

    def _add_enclosed(self, part: MIMEPart) -> None:
        """A forwarded message is a section, named by its subject."""
        enclosed = part.get_content()
        if self._nesting >= _NESTING_LIMIT or not isinstance(enclosed, EmailMessage):
            return
        mail = _Mail(Elements(), self._nesting + 1)
        mail.add_message(enclosed)
        self.elements.extend(
            mail.elements, section=prose(_header(enclosed, "subject")) or "Message"
        )


def _parse(data: bytes) -> EmailMessage:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:200]:  # saved as UTF-16
        data = as_text(data).encode()
    try:
        message = email.message_from_bytes(data, policy=email.policy.default)
    except (RecursionError, ValueError, LookupError) as error:
        raise Rejected(f"It is no e-mail that can be read: {error}", "Save it again.") from error
    assert isinstance(message, EmailMessage)
    return message


def _header(message: EmailMessage, name: str) -> str:
    return _tolerant(lambda: " ".join(str(message[name] or "").split()), "")


def _addresses(message: EmailMessage, name: str) -> list[str]:
    return _tolerant(
        lambda: [str(one) for one in message[name].addresses] if message[name] else [], []
    )


def _date(text: str) -> datetime | None:
    if not text:
        return None
    return _tolerant(lambda: parsedate_to_datetime(text), None) or _tolerant(
        lambda: datetime.fromisoformat(text), None
    )


def _tolerant(read: Callable[[], T], default: T) -> T:
    """What `read` gives, or `default` where a malformed header defeats the standard library."""
    try:
        return read()
    except Exception:
        return default


def _read_attachment(name: str, content: bytes) -> Document:
    from tasks.ingest.parse.formats import HEAD_BYTES, format_of
    from tasks.ingest.parse.readers import parse

    format = format_of(Path(name), content[:HEAD_BYTES])
    if format in _UNREAD:
        raise Rejected(f"attachments of the format {format} are not read")
    with TemporaryDirectory() as folder:
        path = Path(folder, "attachment")
        path.write_bytes(content)
        return parse(path, format)


def _encrypted() -> Rejected:
    return Rejected("It is encrypted", "Save it decrypted.")
