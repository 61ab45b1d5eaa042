"""Responses API exports: typed items in, typed items out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from tasks.conversations.readers.chat import role_of
from tasks.conversations.readers.feedback import read_feedback
from tasks.conversations.readers.fields import (
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
from tasks.conversations.values import Conversation, Json, Message
from tasks.errors import Rejected

_KNOWN = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "model",
    "instructions",
    "input",
    "output",
    "usage",
    "tools",
    "conversation",
    "status",
    "error",
    "feedback",
    "rating",
    "tags",
    "latency_ms",
    "chunk_ids",
    "request",
    "response",
    "text",
    "reasoning",
    "store",
    "parallel_tool_calls",
    "truncation",
    "background",
    "billing",
    "conversation_id",
    "thread_id",
    "session_id",
    "chat_id",
}


def read_response(line: Json) -> list[Conversation]:
    """A response with the items it answered: `{"input": …, "output": […], …}`.

    The input stands beside the output, or in `request` with the response in `response`. Reasoning
    and what the provider's own tools did stay in the metadata of the answer that they led to.
    """
    request = line["request"] if isinstance(line.get("request"), dict) else {}
    response = line["response"] if isinstance(line.get("response"), dict) else line
    both = {**request, **response, **line}
    said = moment(response.get("created_at"))
    messages = []
    if isinstance(instructions := both.get("instructions"), str) and instructions:
        messages.append(Message("system", instructions))
    given = both.get("input")
    messages += read_items(
        [{"role": "user", "content": given}] if isinstance(given, str) else given or [], None
    )
    before = len(messages)
    messages += read_items(listed(response.get("output"), "`output`"), said)
    if len(messages) == before:
        raise Rejected("The response has no output message", "Leave out responses that failed.")
    messages[-1] = _with_measures(messages[-1], response, line)
    names = whose(both)
    conversation = both.get("conversation")
    named = first(conversation, ("id",)) if isinstance(conversation, dict) else None
    return [
        Conversation(
            messages,
            external_id=named or names["group"] or first(response, ("id",)),
            user=names["user"],
            tenant=names["tenant"],
            model=first(both, ("model",)),
            started_at=said,
            ended_at=moment(response.get("completed_at")) or said,
            tags=tags(line.get("tags")),
            tools=_tools(both.get("tools")),
            metadata=said_of(both, _KNOWN),
            feedback=tuple(read_feedback(line.get("feedback", line.get("rating")), len(messages))),
        )
    ]


def read_items(items: Any, said: datetime | None) -> list[Message]:
    """Items in order as messages; calls that follow each other belong to one message."""
    messages: list[Message] = []
    held: Json = {}
    for number, item in enumerate(listed(items, "`input`") if items else [], start=1):
        place = f"item {number}"
        if not isinstance(item, dict):
            raise Rejected(f"Item {number} is {kind_of(item)}", "Give an object.")
        kind = item.get("type", "message")
        if kind == "message":
            text, parts = text_and_parts(item.get("content"), place)
            role = role_of(item.get("role"), place)
            refusal = _refusal(item)
            if refusal is not None:
                held["refusal"], parts = refusal, None
            messages.append(Message(role, text, parts=parts, metadata=held or None, said_at=said))
            held = {}
        elif kind in ("function_call", "custom_tool_call"):
            arguments = item.get("arguments", item.get("input"))
            made = call(item.get("call_id"), item.get("name"), arguments, place)
            last = messages[-1] if messages else None
            if last is not None and last.role == "assistant" and not held:
                messages[-1] = last._replace(tool_calls=[*(last.tool_calls or ()), made])
            else:
                messages.append(
                    Message(
                        "assistant", None, tool_calls=[made], metadata=held or None, said_at=said
                    )
                )
                held = {}
        elif kind in ("function_call_output", "custom_tool_call_output"):
            messages.append(
                Message("tool", as_text(item.get("output")), tool_call_id=first(item, ("call_id",)))
            )
        else:
            held.setdefault("items", []).append(item)
    return messages


def _refusal(item: Json) -> str | None:
    content = item.get("content")
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") == "refusal":
            return str(part.get("refusal"))
    return None


def _with_measures(answer: Message, response: Json, line: Json) -> Message:
    usage = response.get("usage")
    counts = usage if isinstance(usage, dict) else {}
    return answer._replace(
        external_id=first(response, ("id",)),
        model=first(response, ("model",)),
        input_tokens=whole(counts.get("input_tokens")),
        output_tokens=whole(counts.get("output_tokens")),
        latency_ms=whole(line.get("latency_ms")),
        chunk_ids=ids(line.get("chunk_ids")),
    )


def _tools(given: Any) -> list[Any] | None:
    """Function tools as the Chat Completions API writes them; the provider's own as they are."""
    if not isinstance(given, list) or not given:
        return None
    tools: Sequence[Any] = given
    return [
        {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
        if isinstance(tool, dict) and tool.get("type") == "function" and "function" not in tool
        else tool
        for tool in tools
    ]
