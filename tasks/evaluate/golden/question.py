"""One golden question as files write it: a question, its answer, sources, checks and tags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import regex

from tasks.errors import Rejected
from tasks.evaluate.exam import Check, Question

_FIELDS = ("question", "expected_answer", "sources", "checks", "tags", "conversation_id")
_SHAPE = "Write question, and of expected_answer, sources, checks and tags what is known."
_CHECKS = (
    "Write contains, exact or regex with a text, json_schema with a schema, must_cite or "
    "must_refuse."
)


def read_question(row: object) -> Question:
    """The question that a mapping describes.

    `sources` lists paths, or {"path": …, "grade": …}; `checks` lists {kind: value}, or the name of
    a kind that needs no value. Raises Rejected with what is wrong and how to write it.
    """
    if not isinstance(row, Mapping):
        raise Rejected("it is no question", _SHAPE)
    unknown = [str(name) for name in row if name not in _FIELDS]
    if unknown:
        raise Rejected(f"there is no field {unknown[0]!r}", f"Fields are {', '.join(_FIELDS)}.")
    conversation_id = row.get("conversation_id")
    if not isinstance(conversation_id, int | None) or isinstance(conversation_id, bool):
        raise Rejected(f"conversation_id is {conversation_id!r}", "Write its number.")
    question = Question(
        _text("question", row.get("question")),
        dict(_sources(row.get("sources"))),
        expected_answer=(
            None
            if row.get("expected_answer") is None
            else _text("expected_answer", row["expected_answer"])
        ),
        checks=tuple(_check(one) for one in _list("checks", row.get("checks"))),
        tags=tuple(_text("tags", one) for one in _list("tags", row.get("tags"))),
        conversation_id=conversation_id,
    )
    if question.expected_answer is None and not question.grades and not question.checks:
        raise Rejected("it does not say what a good answer is", _SHAPE)
    return question


def as_row(question: Question) -> dict[str, Any]:
    """The question as `read_question` reads it, without what is empty."""
    row = {
        "question": question.text,
        "expected_answer": question.expected_answer,
        "sources": [
            path if grade == 1 else {"path": path, "grade": grade}
            for path, grade in question.grades.items()
        ],
        "checks": [
            one.kind if one.value is True else {one.kind: one.value} for one in question.checks
        ],
        "tags": list(question.tags),
        "conversation_id": question.conversation_id,
    }
    return {name: value for name, value in row.items() if value not in (None, [])}


def _text(name: str, value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise Rejected(f"{name} is {value!r} and no text", "Write a text; YAML may need quotes.")
    return _storable(value.strip())


def _storable(value: str) -> str:
    if "\0" in value or value.encode(errors="replace").decode() != value:
        raise Rejected(f"{value[:80]!r} holds what Postgres cannot store", "Take it out.")
    return value


def _list(name: str, value: object) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Rejected(f"{name} is {value!r} and no list", f"Write {name}: […].")
    return value


def _sources(value: object) -> Iterator[tuple[str, int]]:
    for one in _list("sources", value):
        match one:
            case str(path) if path:
                yield _storable(path), 1
            case {"path": str(path), "grade": int(grade), **others} if (
                path and grade >= 0 and not isinstance(grade, bool) and not others
            ):
                yield _storable(path), grade
            case _:
                raise Rejected(
                    f"{one!r} is no source",
                    'Write a document\'s path, or {"path": …, "grade": …} with a grade from 0.',
                )


def _check(one: object) -> Check:
    if isinstance(one, str):
        one = {one: True}
    if not isinstance(one, Mapping) or len(one) != 1:
        raise Rejected(f"{one!r} is no check", _CHECKS)
    kind, value = next(iter(one.items()))
    match kind:
        case "contains" | "exact":
            return Check(kind, _texts(kind, value))
        case "regex":
            return Check(kind, _pattern(value))
        case "json_schema":
            return Check(kind, _schema(value))
        case "must_cite" if value is True or (isinstance(value, str) and value):
            return Check(kind, value)
        case "must_refuse" if value is True:
            return Check(kind, value)
    raise Rejected(f"{dict(one)!r} is no check", _CHECKS)


def _texts(kind: str, value: object) -> str | list[str]:
    """One text, or several of which one is enough."""
    if isinstance(value, list) and value:
        return [_text(kind, one) for one in value]
    return _text(kind, value)


def _pattern(value: object) -> str:
    text = _text("regex", value)
    try:
        regex.compile(text)
    except regex.error as error:
        raise Rejected(
            f"regex {text!r} is no regular expression: {error}", "Write it as Python's re reads it."
        ) from None
    return text


def _schema(value: object) -> Mapping[str, Any]:
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import validator_for

    if not isinstance(value, Mapping):
        raise Rejected(f"json_schema is {value!r}", "Write a JSON schema, such as {type: object}.")
    try:
        validator_for(value).check_schema(value)
    except SchemaError as error:
        raise Rejected(
            f"json_schema is no JSON schema: {error.message}", "See json-schema.org."
        ) from None
    for reference in _references(value):
        if not reference.startswith("#"):
            raise Rejected(
                f"json_schema refers to {reference!r}", "Write what it refers to under $defs."
            )
    return value


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        for name, value in schema.items():
            if name in ("$ref", "$dynamicRef") and isinstance(value, str):
                yield value
            yield from _references(value)
    elif isinstance(schema, list):
        for one in schema:
            yield from _references(one)
