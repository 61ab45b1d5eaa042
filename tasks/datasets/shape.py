"""What was logged, in the shape that a model is trained on: chat examples and preference pairs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One logged message; the names are those of openbook.messages."""

    ordinal: int
    role: str
    content: str | None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    name: str | None = None
    weight: int | None = None
    chunk_ids: tuple[int, ...] = ()
    has_media: bool = False


def as_chat(message: Message) -> Body:
    """The message as the Chat Completions API writes it, keys in one order."""
    body: Body = {"role": message.role, "content": message.content}
    if message.name:
        body["name"] = message.name
    if message.role == "assistant" and message.tool_calls:
        body["tool_calls"] = message.tool_calls
    if message.role == "tool":
        body["content"] = message.content or ""
        body["tool_call_id"] = message.tool_call_id
    if message.role == "assistant" and message.weight is not None:
        body["weight"] = message.weight
    return body


def chat_example(
    messages: Sequence[Message],
    tools: Sequence[Mapping[str, Any]] | None = None,
    corrections: Mapping[int, Mapping[str, Any]] | None = None,
) -> tuple[Body, list[int]]:
    """A supervised example, and the ordinals of the messages that it holds.

    A corrected answer is replaced by its correction, and the conversation ends there: what followed
    answered the words that are no longer said. What follows the last answer is left out. Tools that
    the log does not declare are declared by what was asked of them.
    """
    chat: list[Body] = []
    ordinals: list[int] = []
    for message in messages:
        correction = (corrections or {}).get(message.ordinal)
        ordinals.append(message.ordinal)
        if correction is not None and message.role == "assistant":
            corrected = {"role": "assistant", "content": correction.get("content")}
            if correction.get("tool_calls"):
                corrected["tool_calls"] = correction["tool_calls"]
            chat.append(corrected)
            break
        chat.append(as_chat(message))
    while chat and (chat[-1]["role"] != "assistant" or chat[-1].get("tool_calls")):
        chat.pop()
        ordinals.pop()
    return _with_tools({"messages": chat}, tools), ordinals


def preference_example(
    prompt: Sequence[Message],
    preferred: Mapping[str, Any],
    rejected: Mapping[str, Any],
    tools: Sequence[Mapping[str, Any]] | None = None,
) -> Body:
    """A preference pair: what was asked, the better answer, the worse one."""
    chat = [{k: v for k, v in as_chat(one).items() if k != "weight"} for one in prompt]
    given = _with_tools({"messages": chat}, tools)
    return {
        "input": {**given, "parallel_tool_calls": True} if "tools" in given else given,
        "preferred_output": [{"role": "assistant", "content": preferred.get("content")}],
        "non_preferred_output": [{"role": "assistant", "content": rejected.get("content")}],
    }


def _with_tools(body: Body, tools: Sequence[Mapping[str, Any]] | None) -> Body:
    declared = list(tools or ())
    names = {tool.get("function", {}).get("name") for tool in declared}
    inferred = [
        tool for tool in _inferred(body["messages"]) if tool["function"]["name"] not in names
    ]
    return {**body, "tools": declared + inferred} if declared or inferred else body


def _inferred(messages: Iterable[Body]) -> list[Body]:
    """The tools that are called, each with the arguments that it was given."""
    arguments: dict[str, set[str]] = {}
    for message in messages:
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            try:
                given = json.loads(function.get("arguments") or "")
            except (TypeError, ValueError, RecursionError):
                given = {}
            if isinstance(function.get("name"), str):
                arguments.setdefault(function["name"], set()).update(
                    given if isinstance(given, dict) else ()
                )
    return [
        {
            "type": "function",
            "function": {
                "name": name,
                "parameters": {"type": "object", "properties": {key: {} for key in sorted(keys)}},
            },
        }
        for name, keys in sorted(arguments.items())
    ]


def as_hf_messages(body: Body) -> Body:
    """An example as Hugging Face's `trl` reads it: `messages`, or `prompt`, `chosen`, `rejected`.

    The arguments of tool calls are objects, which chat templates write out; `weight` stays, though
    nothing there reads it.
    """
    if "messages" in body:
        return {**body, "messages": [_with_objects(one) for one in body["messages"]]}
    asked = body["input"]
    example = {
        "prompt": [_with_objects(one) for one in asked["messages"]],
        "chosen": list(body["preferred_output"]),
        "rejected": list(body["non_preferred_output"]),
    }
    return {**example, "tools": asked["tools"]} if "tools" in asked else example


def _with_objects(message: Mapping[str, Any]) -> Body:
    if not message.get("tool_calls"):
        return dict(message)
    calls = [
        {**call, "function": {**function, "arguments": json.loads(function["arguments"])}}
        for call in message["tool_calls"]
        for function in [call["function"]]
    ]
    return {**message, "tool_calls": calls}


def texts_of(body: Body) -> list[str]:
    """What is said in an example: users' and assistants' texts, in order, of either kind."""
    if "messages" in body:
        messages = body["messages"]
    else:
        messages = [
            *body["input"]["messages"], *body["preferred_output"], *body["non_preferred_output"],
        ]  # fmt: skip
    return [
        one["content"]
        for one in messages
        if one["role"] in ("user", "assistant") and isinstance(one.get("content"), str)
    ]
