"""Stored chat completions, and pairs of a request and its response, as the API gave them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tasks.conversations.readers.chat import declared_tools, read_messages
from tasks.conversations.readers.feedback import read_feedback
from tasks.conversations.readers.fields import (
    first,
    ids,
    listed,
    moment,
    said_of,
    tags,
    whole,
    whose,
)
from tasks.conversations.values import Conversation, Json
from tasks.errors import Rejected

_OF_BOTH = {
    "messages",
    "input",
    "choices",
    "usage",
    "tools",
    "functions",
    "model",
    "created",
    "id",
    "object",
    "feedback",
    "rating",
    "tags",
    "request",
    "response",
    "body",
    "latency_ms",
    "chunk_ids",
    "custom_id",
    "method",
    "url",
    "error",
    "service_tier",
    "system_fingerprint",
    "stream",
    "conversation_id",
    "thread_id",
    "session_id",
    "chat_id",
}


def read_completion(line: Json) -> list[Conversation]:
    """A completion with the messages it answered: `{"messages": […], "choices": […], …}`.

    The messages stand beside the choices (stored completions call them `messages` or `input`), or
    in `request` or `body`, with the completion in `response`. Of several choices the first is the
    answer; the others stay in its metadata.
    """
    request = _object(line, "request") or _object(line, "body") or line
    response = _object(line, "response") or line
    response = _object(response, "body") or response
    prompt = request.get("messages") or request.get("input")
    choices = response.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Rejected("The completion has no choice", "Leave out requests that failed.")
    raw = [*listed(prompt, "The completion's `messages`"), _answer(choices, response, line)]
    messages, feedback = read_messages(raw)
    both = {**request, **response, **line}
    names = whose({**both, "metadata": _metadata(request, response, line)})
    created = moment(response.get("created"))
    latency = messages[-1].latency_ms
    return [
        Conversation(
            messages,
            external_id=names["group"] or first(response, ("id",)),
            user=names["user"],
            tenant=names["tenant"],
            model=first(response, ("model",)) or first(request, ("model",)),
            started_at=created,
            ended_at=created + timedelta(milliseconds=latency or 0) if created else None,
            tags=tags(line.get("tags")),
            tools=declared_tools(both),
            metadata=said_of({**both, "metadata": _metadata(request, response, line)}, _OF_BOTH),
            feedback=(
                *feedback,
                *read_feedback(line.get("feedback", line.get("rating")), len(messages)),
            ),
        )
    ]


def _answer(choices: list[Any], response: Json, line: Json) -> Json:
    answer = choices[0].get("message")
    if not isinstance(answer, dict):
        raise Rejected("The completion's choice has no message", "Export whole completions.")
    usage = response.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return {
        **answer,
        "id": response.get("id"),
        "model": response.get("model"),
        "input_tokens": whole(counts.get("prompt_tokens")),
        "output_tokens": whole(counts.get("completion_tokens")),
        "latency_ms": line.get("latency_ms"),
        "chunk_ids": ids(line.get("chunk_ids")),
        "finish_reason": choices[0].get("finish_reason"),
        "other_choices": choices[1:] or None,
        "created_at": response.get("created"),
    }


def _object(source: Json, name: str) -> Json | None:
    value = source.get(name)
    return value if isinstance(value, dict) else None


def _metadata(*sources: Json) -> Json:
    merged: Json = {}
    for source in sources:
        merged |= _object(source, "metadata") or {}
    return merged
