"""ShareGPT: turns as `from` and `value`."""

from __future__ import annotations

from typing import Any

from tasks.conversations.parse import parse
from tasks.conversations.readers.chat import declared_tools, read_messages
from tasks.conversations.readers.feedback import read_feedback
from tasks.conversations.readers.fields import (
    CONVERSATION,
    first,
    kind_of,
    listed,
    moment,
    said_of,
    tags,
    whose,
)
from tasks.conversations.values import Conversation, Json
from tasks.errors import Rejected

_KNOWN = {
    "conversations", "conversation", "items", "system", "tools", "model", "tags", "feedback",
    "rating", "created_at", *CONVERSATION,
}  # fmt: skip
_ROLES = {"observation": "tool", "chatgpt": "assistant", "bing": "assistant"}


def read_sharegpt(line: Json) -> list[Conversation]:
    """One line `{"conversations": [{"from": "human", "value": …}, …], "system": …}`."""
    turns = next(
        (line[name] for name in ("conversations", "conversation", "items") if name in line), None
    )
    raw = [_message(turn, n) for n, turn in enumerate(listed(turns, "`conversations`"), start=1)]
    if isinstance(line.get("system"), str) and line["system"]:
        raw.insert(0, {"role": "system", "content": line["system"]})
    messages, feedback = read_messages(raw)
    names = whose(line)
    return [
        Conversation(
            messages,
            external_id=names["group"] or first(line, CONVERSATION),
            user=names["user"],
            tenant=names["tenant"],
            model=first(line, ("model",)),
            started_at=moment(line.get("created_at")),
            tags=tags(line.get("tags")),
            tools=declared_tools(line),
            metadata=said_of(line, _KNOWN),
            feedback=(*feedback, *read_feedback(line.get("feedback", line.get("rating")), None)),
        )
    ]


def _message(turn: Any, number: int) -> Json:
    if not isinstance(turn, dict):
        raise Rejected(f"Turn {number} is {kind_of(turn)}", 'Give {"from": …, "value": …}.')
    role = turn.get("from", turn.get("role", turn.get("user")))
    value = turn.get("value", turn.get("content", turn.get("text")))
    extra = {name: turn[name] for name in ("weight", "rating", "feedback") if name in turn}
    if role == "function_call":
        return {"role": "assistant", "tool_calls": [_call(value, number)], **extra}
    return {"role": _ROLES.get(str(role), role), "content": value, **extra}


def _call(value: object, number: int) -> Json:
    """A call as LLaMA-Factory writes it: `{"name": …, "arguments": …}` as text."""
    try:
        made = parse(value.encode()) if isinstance(value, str) else value
    except Rejected:
        made = None
    if not isinstance(made, dict):
        raise Rejected(f"The call of turn {number} is no JSON object", "Give name and arguments.")
    return {"name": made.get("name"), "arguments": made.get("arguments")}
