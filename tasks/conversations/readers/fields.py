"""What the formats' fields have in common: ids, times, numbers, content in parts."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from tasks.conversations.values import Json
from tasks.errors import Rejected

CONVERSATION = ("conversation_id", "thread_id", "session_id", "chat_id", "id")
_GROUPS = CONVERSATION[:-1]
USER = ("user_id", "user", "end_user_id", "safety_identifier", "userId", "enduser.id", "user.id")
TENANT = ("tenant_id", "tenant", "organization_id", "organization", "org_id", "tenantId")
_NAMES = {"user": USER, "tenant": TENANT, "group": _GROUPS}
_WHOSE = frozenset((*USER, *TENANT))
_NOTHING: tuple[object, ...] = (None, [], {}, "")
_SECONDS = 1e11
"""Numbers from here on are milliseconds; they would be the year 5138 in seconds."""


def first(source: Json, names: Iterable[str]) -> str | None:
    """The first of the fields that holds an id, as text."""
    for name in names:
        value = source.get(name)
        if value is None:
            continue
        if isinstance(value, str) and value:
            return value
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None


def whose(source: Json) -> dict[str, str | None]:
    """User, tenant and the id that groups turns into one conversation, also from the metadata."""
    found = {name: first(source, keys) for name, keys in _NAMES.items()}
    metadata = source.get("metadata")
    if isinstance(metadata, dict):
        for name, keys in _NAMES.items():
            found[name] = found[name] or first(metadata, keys)
    return found


def said_of(source: Json, known: Container[str] = ()) -> Json | None:
    """What else is said, without the known fields and whatever names the user or tenant."""
    rest = {
        name: value
        for name, value in source.items()
        if name not in known and name not in _WHOSE and name != "metadata"
    }
    metadata = source.get("metadata")
    if isinstance(metadata, dict):
        rest |= {name: value for name, value in metadata.items() if name not in _WHOSE}
    return {name: value for name, value in rest.items() if value not in _NOTHING} or None


def moment(value: object) -> datetime | None:
    """A time given as ISO 8601, or as (milli-, nano-) seconds since 1970; else None."""
    try:
        if isinstance(value, str) and not value.isdigit():
            at = datetime.fromisoformat(value.replace("Z", "+00:00"))
            return at if at.tzinfo else at.replace(tzinfo=UTC)
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            seconds = float(value)
            while seconds >= _SECONDS:
                seconds /= 1000
            return datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        pass
    return None


def whole(value: object) -> int | None:
    """A count that fits its column, or None."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 2**31:
        return int(value)
    return None


def ids(value: object) -> list[int] | None:
    """A list of our own chunk ids, or None."""
    if isinstance(value, list) and value and all(type(one) is int for one in value):
        return [one for one in value if 0 < one < 2**63] or None
    return None


def tags(value: object) -> tuple[str, ...]:
    """Tags given as a list or as one."""
    if isinstance(value, str):
        return (value,)
    if isinstance(value, list):
        return tuple(dict.fromkeys(one for one in value if isinstance(one, str)))
    return ()


def text_and_parts(content: object, place: str) -> tuple[str | None, list[Any] | None]:
    """The text of a message's content, and its parts where they hold more than text."""
    if content is None or isinstance(content, str):
        return content, None
    if not isinstance(content, list):
        raise Rejected(
            f"The content of {place} is {kind_of(content)}", "Give it as a text or a list of parts."
        )
    texts = []
    only_text = True
    for part in content:
        text = _text(part)
        if text is None:
            only_text = False
        else:
            texts.append(text)
    return ("\n\n".join(texts) if texts else None), (None if only_text else content)


def _text(part: object) -> str | None:
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") in ("text", "input_text", "output_text", None):
        text = part.get("text", part.get("content"))
        if isinstance(text, str):
            return text
    return None


def as_text(value: object) -> str:
    """A value as the text of a message: itself, or its JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def call(call_id: object, name: object, arguments: object, place: str) -> Json:
    """A tool call as the Chat Completions API writes it."""
    if not isinstance(name, str):
        raise Rejected(f"A tool call of {place} has no name", "Give the function's name.")
    given = "{}" if arguments is None else as_text(arguments)
    return {
        "id": call_id if isinstance(call_id, str) else None,
        "type": "function",
        "function": {"name": name, "arguments": given},
    }


def kind_of(value: object) -> str:
    """A JSON value's kind in words."""
    names = {dict: "an object", list: "an array", str: "a text", bool: "a truth value"}
    if value is None:
        return "missing"
    return names.get(type(value), "a number")


def listed(value: object, what: str) -> list[Any]:
    """The value, which must be a list that is not empty."""
    if not isinstance(value, list):
        raise Rejected(f"{what} is {kind_of(value)}", "Give a list of messages.")
    if not value:
        raise Rejected(f"{what} is empty", "Leave such conversations out.")
    return value
