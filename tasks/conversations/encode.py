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
SPOKEN_COLUMNS = ("ordinal", "role", "content", "tool_calls", "tool_call_id")
"""All that nearly every message has; a COPY of these alone costs half of one of all columns."""
MESSAGE_COLUMNS = (
    *SPOKEN_COLUMNS, "parts", "name", "weight", "external_id", "model", "input_tokens",
    "output_tokens", "latency_ms", "chunk_ids", "metadata", "said_at",
)  # fmt: skip
_INSTRUCTING = ("system", "developer")
_NULL = "\\N"
_ONLY_SPOKEN = (None,) * (len(MESSAGE_COLUMNS) - len(SPOKEN_COLUMNS))
_NO_CALL = "\t\\N\t\\N"
_NO_HOW = "\t\\N\t\\N\t\\N"


@dataclass(slots=True)
class Encoded:
    """One conversation as rows in COPY's text format, each without the conversation's id.

    `spoken` are messages that have no more than SPOKEN_COLUMNS, `full` the others; `line` is where
    its file says it.
    """

    identity: bytes
    content: bytes
    has_user: bool
    has_tenant: bool
    row: str
    spoken: list[str]
    full: list[str] = field(default_factory=list)
    feedback: list[Json] = field(default_factory=list)
    line: int | None = None


def encode(conversation: Conversation, pseudonyms: Pseudonyms) -> Encoded:
    """The rows of a conversation.

    Its identity is the keyed hash of its id and the first thing said in it that is not an
    instruction: ids are often the line numbers of a file, and mean another conversation in another
    file. One without an id is what it says.
    """
    messages = conversation.messages
    said: list[str] = []
    spoken: list[str] = []
    full: list[str] = []
    for ordinal, message in enumerate(messages, start=1):
        role, text, calls, answers = message[:4]
        what = f"{ordinal}\t{role}\t{_text(text)}"
        if calls is None and answers is None:
            what += _NO_CALL
        else:
            what += f"\t{_json(calls)}\t{_text(answers)}"
        if message[4:] == _ONLY_SPOKEN:  # nearly all
            spoken.append(what)
        else:
            how = _how(message)
            full.append(what + how + _measures(message))
            if how != _NO_HOW:
                what += how
        said.append(what)
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
    named = conversation.user is not None, conversation.tenant is not None
    return Encoded(identity, content, *named, row, spoken, full, feedback)


def _how(message: Message) -> str:
    """The other columns that what was said is told apart by."""
    weight = _NULL if message.weight is None else str(message.weight)
    return f"\t{_json(message.parts)}\t{_text(message.name)}\t{weight}"


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
    if "\\" in value or "\n" in value or "\t" in value or "\r" in value:
        value = value.replace("\\", "\\\\").replace("\n", "\\n")
        return value.replace("\t", "\\t").replace("\r", "\\r")
    return value


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
