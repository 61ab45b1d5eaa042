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
_INSTRUCTING = ("system", "developer")
_NULL = "\\N"
_ONLY_TEXT = (None,) * 13
"""parts to said_at: what a message may have beside its role and content."""
_NO_MEASURES = _ONLY_TEXT[5:]
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
    messages = conversation.messages
    said: list[str] = []
    rows: list[str] = []
    for ordinal, message in enumerate(messages, start=1):
        if message[2:] == _ONLY_TEXT:  # nearly all
            what = f"{ordinal}\t{message[0]}\t{_text(message[1])}{_PLAIN_END}"
            row = what + _UNMEASURED
        else:
            what = _said(ordinal, message)
            row = what + (_UNMEASURED if message[7:] == _NO_MEASURES else _measures(message))
        said.append(what)
        rows.append(row)
    content = pseudonyms.hash("\n".join(said).encode(), b"content")
    identity = content
    if conversation.external_id is not None:
        opening = next((n for n, m in enumerate(messages) if m[0] not in _INSTRUCTING), 0)
        _, _, first = said[opening].partition("\t")
        identity = pseudonyms.hash(f"{conversation.external_id}\0{first}".encode(), b"identity")
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
