"""Conversations as the rows that COPY takes, with the hashes that tell them apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from tasks.conversations.pseudonyms import Pseudonyms
from tasks.conversations.values import Conversation, Feedback, Json, Message

CONVERSATION_COLUMNS = (
    "external_id", "user_pseudonym", "tenant_pseudonym", "model", "started_at", "ended_at", "tags",
    "tools", "metadata", "identity_hash", "content_hash",
)  # fmt: skip
MESSAGE_COLUMNS = (
    "ordinal", "role", "content", "parts", "tool_calls", "tool_call_id", "name", "weight",
    "external_id", "model", "input_tokens", "output_tokens", "latency_ms", "chunk_ids", "metadata",
    "said_at",
)  # fmt: skip
_NULL = "\\N"
_NO_SAID = (None,) * 5
"""parts to weight: what was said beside role and content."""
_NO_MEASURES = (None,) * 8
_PLAIN_END = "\t\\N" * 5
_UNMEASURED = "\t\\N" * 8


@dataclass(slots=True)
class Encoded:
    """One conversation as rows in COPY's text format, each without the conversation's id."""

    identity: bytes
    content: bytes
    row: str
    messages: list[str]
    feedback: list[Json] = field(default_factory=list)


def encode(conversation: Conversation, pseudonyms: Pseudonyms) -> Encoded:
    """The rows of a conversation.

    Its identity is the keyed hash of its id and the first thing said in it that is not an
    instruction: ids are often the line numbers of a file, and mean another conversation in another
    file. One without an id is what it says.
    """
    said: list[str] = []
    rows: list[str] = []
    for ordinal, message in enumerate(conversation.messages, start=1):
        what = _said(ordinal, message)
        said.append(what)
        rows.append(what + (_UNMEASURED if message[7:] == _NO_MEASURES else _measures(message)))
    content = pseudonyms.hash("\n".join(said).encode(), b"content")
    identity = content
    if conversation.external_id is not None:
        opening = next(
            (m for m in conversation.messages if m.role not in ("system", "developer")),
            conversation.messages[0],
        )
        key = f"{conversation.external_id}\0{_said(0, opening)}"
        identity = pseudonyms.hash(key.encode(), b"identity")
    row = "\t".join(
        (
            _text(conversation.external_id),
            _NULL if conversation.user is None else pseudonyms.user(conversation.user),
            _NULL if conversation.tenant is None else pseudonyms.tenant(conversation.tenant),
            _text(conversation.model),
            _NULL if conversation.started_at is None else conversation.started_at.isoformat(),
            _NULL if conversation.ended_at is None else conversation.ended_at.isoformat(),
            _array(conversation.tags),
            _json(conversation.tools),
            _json(conversation.metadata or {}),
            "\\\\x" + identity.hex(),
            "\\\\x" + content.hex(),
        )
    )
    feedback = [
        _judgement(one, conversation.messages, identity, pseudonyms)
        for one in conversation.feedback
        if one.ordinal is None or one.ordinal <= len(conversation.messages)
    ]
    return Encoded(identity, content, row, rows, feedback)


def _said(ordinal: int, message: Message) -> str:
    """The columns that say what was said; the content's hash is made of them."""
    if message[2:7] == _NO_SAID:
        return f"{ordinal}\t{message.role}\t{_text(message.content)}{_PLAIN_END}"
    weight = _NULL if message.weight is None else str(message.weight)
    return (
        f"{ordinal}\t{message.role}\t{_text(message.content)}\t{_json(message.parts)}"
        f"\t{_json(message.tool_calls)}\t{_text(message.tool_call_id)}\t{_text(message.name)}"
        f"\t{weight}"
    )


def _measures(message: Message) -> str:
    numbers = "\t".join(_NULL if n is None else str(n) for n in message[9:12])
    chunks = message.chunk_ids
    at = message.said_at
    return (
        f"\t{_text(message.external_id)}\t{_text(message.model)}\t{numbers}"
        f"\t{_NULL if chunks is None else '{' + ','.join(map(str, chunks)) + '}'}"
        f"\t{_json(message.metadata)}\t{_NULL if at is None else at.isoformat()}"
    )


def _text(value: str | None) -> str:
    if value is None:
        return _NULL
    return (
        value.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
    )


def _json(value: Any) -> str:
    return _NULL if value is None else _text(orjson.dumps(value).decode())


def _array(values: tuple[str, ...]) -> str:
    quoted = ('"' + one.replace("\\", "\\\\").replace('"', '\\"') + '"' for one in values)
    return _text("{" + ",".join(quoted) + "}")


def _judgement(
    one: Feedback, messages: list[Message], identity: bytes, pseudonyms: Pseudonyms
) -> Json:
    """A row of feedback; `said` is the judged text, which tells whether it is still the same."""
    row: Json = {
        "ordinal": one.ordinal,
        "kind": one.kind,
        "value": one.value,
        "comment": one.comment,
        "alternative": one.alternative,
        "source": one.source,
        "given_at": one.given_at,
    }
    digest = pseudonyms.hash(identity + orjson.dumps(row), b"feedback")
    said = None if one.ordinal is None else messages[one.ordinal - 1].content
    return {**row, "said": said, "content_hash": "\\x" + digest.hex()}
