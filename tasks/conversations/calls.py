"""One call of a model as an application made it, and the conversation that it is part of."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any

from tasks.conversations.parse import parse_value
from tasks.conversations.readers import READERS
from tasks.conversations.values import Conversation, Json, Message

_REMEMBERED = 10_000
_REMEMBERED_RESPONSES = 1_000

_Whom = tuple[str | None, str | None]
"""The user and the tenant that a call is for."""


@dataclass(frozen=True, slots=True)
class About:
    """What the application says of a call: for whom, of what, with which retrieved chunks."""

    user: str | None = None
    tenant: str | None = None
    conversation: str | None = None
    tags: tuple[str, ...] = ()
    chunk_ids: list[int] | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """A request, and its response or the events of its stream, as the client's own values.

    `at` is the time of day of the answer's beginning in seconds since 1970; `started` the request's
    on the performance counter.
    """

    api: str
    request: Json
    about: About
    at: float
    started: float
    latency_ms: int = 0
    response: Any = None
    events: list[Any] | None = None

    def answered(self, response: Any) -> Call:
        """The call with its whole response."""
        return replace(self, response=response, latency_ms=self._elapsed())

    def streamed(self, events: list[Any]) -> Call:
        """The call with the events of its stream, which has ended or was left."""
        return replace(self, events=events, latency_ms=self._elapsed())

    def _elapsed(self) -> int:
        return int((time.perf_counter() - self.started) * 1000)


class Threads:
    """Which conversation a call continues, remembered for the last ten thousand calls."""

    def __init__(self) -> None:
        self._said: OrderedDict[int, str] = OrderedDict()
        self._responses: OrderedDict[str, tuple[_Whom, str, list[Message]]] = OrderedDict()

    def conversation(self, call: Call) -> Conversation:
        """The conversation in the state after the call; raises Rejected for a call without answer.

        It is the one that the application names; else the one of the same user and tenant whose
        messages the request repeats, or whose response it names; else a new one, called by its
        response's id.
        """
        response = _response(call)
        line = parse_value(
            {
                "request": {k: _plain(v) for k, v in call.request.items()},
                "response": response,
                "latency_ms": call.latency_ms,
                "chunk_ids": call.about.chunk_ids,
            }
        )
        (read,) = READERS["completions" if call.api == "chat" else "responses"](line)
        messages = read.messages
        whom = (call.about.user or read.user, call.about.tenant or read.tenant)
        named = call.about.conversation
        before = call.request.get("previous_response_id")
        if isinstance(before, str) and before in self._responses:
            theirs, known, earlier = self._responses[before]
            messages = [*earlier, *messages]
            if theirs == whom:
                named = named or known
        named = named or self._said.get(_key(whom, messages[: _last_answer(messages)]))
        named = named or read.external_id or f"call-{call.at}-{id(call)}"
        self._said[_key(whom, messages)] = named
        if call.api == "responses" and isinstance(response.get("id"), str):
            self._responses[response["id"]] = (whom, named, messages)
        self._forget_oldest()
        user, tenant = whom
        return replace(
            read,
            messages=messages,
            external_id=named,
            user=user,
            tenant=tenant,
            tags=(*read.tags, *call.about.tags),
        )

    def _forget_oldest(self) -> None:
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        while len(self._responses) > _REMEMBERED_RESPONSES:
            self._responses.popitem(last=False)


def _last_answer(messages: list[Message]) -> int:
    """How many messages stand up to the last answer before the new one."""
    return next(
        (n for n in range(len(messages) - 1, 0, -1) if messages[n - 1].role == "assistant"), 0
    )


def _key(whom: _Whom, messages: list[Message]) -> int:
    """What a conversation is known by; others may have heard the same words."""
    said = tuple((m.role, m.content, str(m.tool_calls)) for m in messages)
    return hash((whom, said)) if messages else 0


def _plain(value: Any) -> Any:
    """The client's own values as JSON has them."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else None


def _response(call: Call) -> Json:
    if call.events is None:
        whole: Json = _plain(call.response)
        return whole
    events: list[Json] = [_plain(event) for event in call.events]
    return _from_chunks(events) if call.api == "chat" else _from_events(events)


def _from_events(events: list[Json]) -> Json:
    """A streamed response: its last event that holds the whole of it."""
    found = (event["response"] for event in reversed(events) if "response" in event)
    response: Json = next(found, {})
    return response


def _from_chunks(chunks: list[Json]) -> Json:
    """A streamed completion's chunks put together, as far as they came."""
    message: Json = {"role": "assistant", "content": None}
    calls: dict[int, Json] = {}
    whole: Json = {"choices": [{"message": message, "finish_reason": None}]}
    for chunk in chunks:
        whole |= {k: chunk[k] for k in ("id", "model", "created", "usage") if chunk.get(k)}
        choices = [one for one in chunk.get("choices") or () if one.get("index", 0) == 0]
        for choice in choices:
            delta = choice.get("delta") or {}
            for name in ("content", "refusal"):
                if delta.get(name):
                    message[name] = (message.get(name) or "") + delta[name]
            for part in delta.get("tool_calls") or ():
                _add_part(calls.setdefault(part.get("index", 0), {}), part)
            if choice.get("finish_reason"):
                whole["choices"][0]["finish_reason"] = choice["finish_reason"]
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return whole


def _add_part(call: Json, part: Json) -> None:
    given = part.get("function") or {}
    function = call.setdefault("function", {"name": "", "arguments": ""})
    call["type"] = "function"
    if part.get("id"):
        call["id"] = part["id"]
    function["name"] += given.get("name") or ""
    function["arguments"] += given.get("arguments") or ""
