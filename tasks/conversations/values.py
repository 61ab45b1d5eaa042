"""What every reader yields: conversations, their messages, feedback on them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

Json = dict[str, Any]


class Message(NamedTuple):
    """One message; a tuple, since a load makes a million of them. Fields as in `messages`."""

    role: str
    content: str | None
    tool_calls: list[Json] | None = None
    tool_call_id: str | None = None
    parts: list[Any] | None = None
    name: str | None = None
    weight: int | None = None
    external_id: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: int | None = None
    chunk_ids: list[int] | None = None
    metadata: Json | None = None
    said_at: datetime | None = None


Kind = Literal["thumb", "score", "correction", "regeneration", "implicit"]


@dataclass(frozen=True, slots=True)
class Feedback:
    """One judgement of the message at `ordinal` (from 1), or of the whole conversation."""

    kind: Kind
    ordinal: int | None = None
    value: float | None = None
    comment: str | None = None
    alternative: Json | None = None
    source: str | None = None
    given_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation in the state that its source gives; `user` and `tenant` are raw ids."""

    messages: list[Message]
    external_id: str | None = None
    user: str | None = None
    tenant: str | None = None
    model: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    tags: tuple[str, ...] = ()
    tools: list[Any] | None = None
    metadata: Json | None = None
    feedback: tuple[Feedback, ...] = ()
