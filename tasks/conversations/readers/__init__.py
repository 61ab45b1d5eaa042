"""Formats of logged conversations: each reader takes one JSON object and yields conversations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.conversations.readers.chat import read_chat
from tasks.conversations.readers.completions import read_completion
from tasks.conversations.readers.mtrag import read_mtrag
from tasks.conversations.readers.otel import read_spans
from tasks.conversations.readers.preference import read_preference
from tasks.conversations.readers.responses import read_response
from tasks.conversations.readers.sharegpt import read_sharegpt
from tasks.conversations.values import Conversation, Json
from tasks.errors import Rejected

Reader = Callable[[Json], list[Conversation]]

READERS: dict[str, Reader] = {
    "chat": read_chat,
    "completions": read_completion,
    "responses": read_response,
    "preference": read_preference,
    "sharegpt": read_sharegpt,
    "otel": read_spans,
    "mtrag": read_mtrag,
}
_LISTS = {
    "conversations": "sharegpt",
    "conversation": "sharegpt",
    "items": "sharegpt",
    "targets": "mtrag",
}
"""Fields that are lists in one format alone."""


def format_of(line: Json) -> str:
    """The format that an object's fields tell; raises Rejected for none that is known."""
    if "resourceSpans" in line or "resource_spans" in line:
        return "otel"
    if "preferred_output" in line or ("chosen" in line and "rejected" in line):
        return "preference"
    response: Any = line.get("response")
    inner = {**response, **_object(response, "body")} if isinstance(response, dict) else line
    if "output" in inner and (inner.get("object") == "response" or "choices" not in inner):
        return "responses"
    if "choices" in inner:
        return "completions"
    if "messages" in line:
        return "chat"
    for name, found in _LISTS.items():
        if isinstance(line.get(name), list):
            return found
    raise Rejected(
        "No known format has these fields",
        f"Name the format with --format, one of {', '.join(READERS)}.",
    )


def read(line: Any, format: str | None = None) -> tuple[str, list[Conversation]]:
    """The conversations of one JSON value, and the format that it was read as.

    A page as the provider's API lists things, `{"object": "list", "data": […]}`, gives those of all
    its members. Raises Rejected, with what to do, for a value that holds none.
    """
    if not isinstance(line, dict):
        raise Rejected("The line is no JSON object", "Give one object a line.")
    if line.get("object") == "list" and isinstance(line.get("data"), list):
        pages = [read(one, format) for one in line["data"]]
        return (pages[0][0] if pages else "chat"), [c for _, found in pages for c in found]
    chosen = format or format_of(line)
    return chosen, READERS[chosen](line)


def _object(source: Json, name: str) -> Json:
    value = source.get(name)
    return value if isinstance(value, dict) else {}
