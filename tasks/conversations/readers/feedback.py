"""Feedback as it stands inside the formats: beside a conversation, or on one of its messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.conversations.readers.fields import moment
from tasks.conversations.values import Feedback, Json

_UP = {"up", "thumbs_up", "thumb_up", "like", "liked", "positive", "good", "+1", "1"}
_DOWN = {"down", "thumbs_down", "thumb_down", "dislike", "disliked", "negative", "bad", "-1"}


def read_feedback(given: object, ordinal: int | None) -> Iterator[Feedback]:
    """Judgements in a field `feedback` or `rating`: a word, a number, an object, or a list."""
    if isinstance(given, list):
        for one in given:
            yield from read_feedback(one, ordinal)
        return
    if isinstance(given, dict):
        yield from _judgements(given, ordinal)
        return
    thumb = _thumb(given)
    if thumb is not None:
        yield Feedback("thumb", ordinal, thumb)
    elif isinstance(given, (int, float)):
        yield Feedback("score", ordinal, float(given))
    elif isinstance(given, str) and given.strip():
        yield Feedback("implicit", ordinal, 0.0, comment=given)


def _judgements(given: Json, ordinal: int | None) -> Iterator[Feedback]:
    about = given.get("ordinal", given.get("message"))
    place = about if type(about) is int and about > 0 else ordinal
    comment = next(
        (given[name] for name in ("comment", "text", "reason") if isinstance(given.get(name), str)),
        None,
    )
    rest: dict[str, Any] = {
        "comment": comment,
        "source": given["source"] if isinstance(given.get("source"), str) else None,
        "given_at": moment(given.get("given_at", given.get("at", given.get("created_at")))),
    }
    kind = str(given.get("kind", given.get("type", "")))
    for name in ("correction", "regeneration"):
        other = given.get(name, given.get("alternative") if kind == name else None)
        if other is None and kind == name:
            other = given.get("value")
        message = _message(other)
        if message is not None:
            yield Feedback(name, place, alternative=message, **rest)
    value = next(
        (given[name] for name in ("value", "score", "thumb", "rating") if name in given), None
    )
    thumb = _thumb(value)
    if kind == "implicit" and isinstance(value, (int, float)):
        yield Feedback("implicit", place, float(value), **rest)
    elif thumb is not None and kind in ("", "thumb", "rating"):
        yield Feedback("thumb", place, thumb, **rest)
    elif isinstance(value, (int, float)) and kind in ("", "score", "rating"):
        yield Feedback("score", place, float(value), **rest)


def _thumb(value: object) -> float | None:
    if isinstance(value, bool):
        return 1.0 if value else -1.0
    if isinstance(value, (int, float)):
        return float(value) if value in (-1, 1) else None
    if isinstance(value, str):
        word = value.strip().lower()
        return 1.0 if word in _UP else -1.0 if word in _DOWN else None
    return None


def _message(other: object) -> Json | None:
    if isinstance(other, str) and other:
        return {"role": "assistant", "content": other}
    if isinstance(other, dict) and ("content" in other or "tool_calls" in other):
        return {"role": "assistant", **other}
    return None
