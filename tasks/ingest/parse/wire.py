"""What a parser process answers, as bytes that can hold values and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tasks.errors import Killed, MissingTool, Rejected, Retryable
from tasks.ingest.parse.elements import clean
from tasks.records import Document, Element

ANSWER_LIMIT = 512 * 1024 * 1024
"""The longest answer in bytes."""
LENGTH_BYTES = 8
"""Each answer is preceded by its length, an unsigned big-endian number."""

_ERRORS = {error.__name__: error for error in (Rejected, MissingTool, Killed, Retryable)}


def request(path: Path, format: str) -> bytes:
    """One line that asks for a file; names that are no UTF-8 survive as lone surrogates."""
    return json.dumps({"path": str(path), "format": format}).encode() + b"\n"


def read_request(line: bytes) -> tuple[Path, str]:
    asked = json.loads(line)
    return Path(asked["path"]), asked["format"]


def answer(outcome: Document | Rejected | Retryable, resident: int, healthy: bool) -> bytes:
    """A document or an error, the memory that the process holds, and whether it may go on."""
    if isinstance(outcome, Document):
        body: dict[str, Any] = _columns(outcome)
    else:
        body = {"error": type(outcome).__name__, "texts": [outcome.message, outcome.remedy]}
    body |= {"resident": resident, "healthy": healthy}
    data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return len(data).to_bytes(LENGTH_BYTES, "big") + data


def read_answer(data: bytes) -> tuple[Document | Rejected | Retryable, int, bool]:
    """The outcome, resident bytes and health; ValueError for what `answer` cannot have written.

    Texts are cleaned once more: a parser that was taken over must not reach the database.
    """
    try:
        body = json.loads(data)
        resident, healthy = int(body["resident"]), bool(body["healthy"])
        if "error" in body:
            message, remedy = (clean(str(text)) for text in body["texts"])
            return _ERRORS[body["error"]](message, remedy), resident, healthy
        return _document(body), resident, healthy
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not an answer: {error!r}") from None


def _columns(document: Document) -> dict[str, Any]:
    elements = document.elements
    return {
        "format": document.format,
        "title": document.title,
        "metadata": document.metadata,
        "texts": [element.text for element in elements],
        "categories": [element.category for element in elements],
        "depths": [element.depth for element in elements],
        "pages": [element.page for element in elements],
        "sections": [element.section for element in elements],
    }


def _document(body: dict[str, Any]) -> Document:
    names = ("texts", "categories", "depths", "pages", "sections")
    rows = zip(*(body[name] for name in names), strict=True)
    title, metadata = body["title"], body["metadata"]
    if not isinstance(metadata, dict):
        raise TypeError("metadata")
    return Document(
        format=clean(str(body["format"])),
        title=None if title is None else clean(str(title)),
        elements=tuple(
            Element(
                clean(str(text)),
                clean(str(category)),
                _number(depth),
                _number(page),
                _text(section),
            )
            for text, category, depth, page, section in rows
        ),
        metadata=metadata,
    )


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else clean(str(value))
