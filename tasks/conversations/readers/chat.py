"""Messages of the Chat Completions API: logs, fine-tuning files, Hugging Face's `messages`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from tasks.conversations.parse import parse
from tasks.conversations.readers.feedback import read_feedback
from tasks.conversations.readers.fields import (
    CONVERSATION,
    as_text,
    call,
    first,
    ids,
    kind_of,
    listed,
    moment,
    said_of,
    tags,
    text_and_parts,
    whole,
    whose,
)
from tasks.conversations.values import Conversation, Feedback, Json, Message
from tasks.errors import Rejected

_PLAIN_ROLES = frozenset(("system", "user", "assistant", "developer"))
_SPOKEN = frozenset(("role", "content", "tool_calls", "tool_call_id", "name", "weight"))
_ROLES = {
    **{role: role for role in (*_PLAIN_ROLES, "tool")},
    "function": "tool",
    "human": "user",
    "ai": "assistant",
    "bot": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "ipython": "tool",
}
_OF_MESSAGE = {
    "role",
    "content",
    "tool_calls",
    "function_call",
    "tool_call_id",
    "name",
    "weight",
    "id",
    "model",
    "usage",
    "input_tokens",
    "output_tokens",
    "latency_ms",
    "chunk_ids",
    "feedback",
    "rating",
    "created_at",
    "timestamp",
    "created",
    "said_at",
}
_OF_CONVERSATION = {
    *CONVERSATION,
    "messages",
    "tools",
    "functions",
    "tags",
    "model",
    "created_at",
    "timestamp",
    "created",
    "started_at",
    "ended_at",
    "feedback",
    "rating",
}


def read_chat(line: Json) -> list[Conversation]:
    """One line `{"messages": […], "tools": […], …}`, with whatever else stands beside them."""
    raw = listed(line.get("messages"), "`messages`")
    messages, feedback = read_messages(raw)
    if len(line) == 1:
        return [Conversation(messages)]
    names = whose(line)
    about = read_feedback(line.get("feedback", line.get("rating")), None)
    return [
        Conversation(
            messages,
            external_id=names["group"] or first(line, CONVERSATION),
            user=names["user"],
            tenant=names["tenant"],
            model=first(line, ("model",)),
            started_at=moment(
                line.get("started_at", line.get("created_at", line.get("timestamp")))
            ),
            ended_at=moment(line.get("ended_at")),
            tags=tags(line.get("tags")),
            tools=declared_tools(line),
            metadata=said_of(line, _OF_CONVERSATION),
            feedback=(*feedback, *about),
        )
    ]


def declared_tools(line: Json) -> list[Any] | None:
    """The tools that the model was offered; functions of the older form as tools."""
    tools = line.get("tools")
    if isinstance(tools, str):  # Hugging Face's data sets hold them as text
        with suppress(Rejected):
            tools = parse(tools.encode())
    if isinstance(tools, list) and tools:
        return tools
    functions = line.get("functions")
    if isinstance(functions, list) and functions:
        return [{"type": "function", "function": one} for one in functions]
    return None


def read_messages(raw: Sequence[Any]) -> tuple[list[Message], list[Feedback]]:
    """Messages in order, and the feedback that stands on them."""
    messages: list[Message] = []
    feedback: list[Feedback] = []
    for one in raw:
        if type(one) is dict and type(content := one.get("content")) is str:
            role = one.get("role")
            if len(one) == 2 and role in _PLAIN_ROLES:  # nearly all
                messages.append(Message(role, content))
                continue
            if len(one) == 3 and role == "tool" and type(one.get("tool_call_id")) is str:
                messages.append(Message(role, content, None, one["tool_call_id"]))
                continue
        ordinal = len(messages) + 1
        messages.append(read_message(one, ordinal))
        judged = one.get("feedback", one.get("rating"))
        if judged is not None:
            feedback += read_feedback(judged, ordinal)
    return messages, feedback


def read_message(one: Any, ordinal: int) -> Message:
    """One message of the Chat Completions API; raises Rejected for what is none."""
    place = f"message {ordinal}"
    if not isinstance(one, dict):
        raise Rejected(f"Message {ordinal} is {kind_of(one)}", 'Give {"role": …, "content": …}.')
    role = role_of(one.get("role"), place)
    content, parts = text_and_parts(one.get("content"), place)
    calls = _calls(one, place) if role == "assistant" else None
    silent = role == "assistant" and ("content" in one or one.get("refusal"))
    if content is None and parts is None and calls is None and not silent:
        raise Rejected(
            f"Message {ordinal} has neither content nor tool calls", "Give it one of them."
        )
    weight = one.get("weight")
    if weight is not None and weight not in (0, 1):
        raise Rejected(f"The weight of message {ordinal} is not 0 or 1", "Give one of these.")
    name = one.get("name")
    answers = one.get("tool_call_id")
    spoken = (
        role,
        content,
        calls,
        answers if isinstance(answers, str) and role == "tool" else None,
        parts,
        name if isinstance(name, str) else None,
        None if weight is None else int(weight),
    )
    if one.keys() <= _SPOKEN:
        return Message(*spoken)
    counted = one.get("usage")
    usage = counted if isinstance(counted, dict) else one
    return Message(
        *spoken,
        first(one, ("id",)),
        first(one, ("model",)),
        whole(usage.get("input_tokens", usage.get("prompt_tokens"))),
        whole(usage.get("output_tokens", usage.get("completion_tokens"))),
        whole(one.get("latency_ms")),
        ids(one.get("chunk_ids")),
        said_of(one, _OF_MESSAGE),
        moment(one.get("said_at", one.get("created_at", one.get("timestamp")))),
    )


def role_of(given: object, place: str) -> str:
    """The role that a word means; raises Rejected for one that means none."""
    role = _ROLES.get(given.lower()) if isinstance(given, str) else None
    if role is None:
        told = f"has the role {given[:20]!r}" if isinstance(given, str) else "has no role"
        raise Rejected(
            f"{place[0].upper()}{place[1:]} {told}",
            "Use system, developer, user, assistant or tool.",
        )
    return role


def _calls(one: Json, place: str) -> list[Json] | None:
    calls = one.get("tool_calls")
    if not calls:
        older = one.get("function_call")
        if not isinstance(older, dict):
            return None
        return [call(None, older.get("name"), older.get("arguments"), place)]
    if not isinstance(calls, list):
        raise Rejected(f"The tool calls of {place} are {kind_of(calls)}", "Give a list of them.")
    return [_call(given, place) for given in calls]


def _call(given: Any, place: str) -> Json:
    if not isinstance(given, dict):
        raise Rejected(f"A tool call of {place} is {kind_of(given)}", "Give an object.")
    function = given.get("function")
    if isinstance(function, dict):
        return call(given.get("id"), function.get("name"), function.get("arguments"), place)
    custom = given.get("custom")
    if isinstance(custom, dict):
        return {**given, "custom": {**custom, "input": as_text(custom.get("input"))}}
    return call(given.get("id"), given.get("name"), given.get("arguments"), place)
