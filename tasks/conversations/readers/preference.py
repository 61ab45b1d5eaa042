"""Pairs of a preferred and another answer: OpenAI's DPO files, and `chosen` beside `rejected`."""

from __future__ import annotations

from typing import Any

from tasks.conversations.readers.chat import declared_tools, read_messages
from tasks.conversations.readers.fields import CONVERSATION, first, listed, said_of, tags, whose
from tasks.conversations.values import Conversation, Feedback, Json
from tasks.errors import Rejected

_KNOWN = {
    "input", "preferred_output", "non_preferred_output", "prompt", "chosen", "rejected", "tags",
    *CONVERSATION,
}  # fmt: skip


def read_preference(line: Json) -> list[Conversation]:
    """A conversation that ends in the preferred answer; the other one is the one it replaced."""
    if "chosen" in line:
        better, worse = (_turns(line, name) for name in ("chosen", "rejected"))
        shared = sum(1 for a, b in zip(better, worse, strict=False) if a == b)
        prompt, other = better[:-1], worse[shared:]
        answer: Any = better[-1]
        source = line
    else:
        given = line.get("input")
        source = given if isinstance(given, dict) else {}
        prompt = listed(source.get("messages"), "`input.messages`")
        answer = listed(line.get("preferred_output"), "`preferred_output`")[-1]
        other = listed(line.get("non_preferred_output"), "`non_preferred_output`")
    messages, feedback = read_messages([*prompt, answer])
    if not other or not isinstance(other[-1], dict):
        raise Rejected("The pair has no other answer", "Give two answers that differ.")
    pair = Feedback("regeneration", len(messages), alternative=other[-1])
    names = whose(line)
    return [
        Conversation(
            messages,
            external_id=names["group"] or first(line, CONVERSATION),
            user=names["user"],
            tenant=names["tenant"],
            tags=tags(line.get("tags")),
            tools=declared_tools(source),
            metadata=said_of(line, _KNOWN),
            feedback=(*feedback, pair),
        )
    ]


def _turns(line: Json, name: str) -> list[Any]:
    turns = line.get(name)
    if isinstance(turns, str):
        prompt = line.get("prompt")
        start = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        return [*start, {"role": "assistant", "content": turns}]
    given = listed(turns, f"`{name}`")
    prompt = line.get("prompt")
    return [*prompt, *given] if isinstance(prompt, list) and len(given) == 1 else given
