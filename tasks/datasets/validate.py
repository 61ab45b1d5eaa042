"""The provider's rules for a training file, one function each; a rule names what breaks it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

ROLES = ("system", "developer", "user", "assistant", "tool")
LEAST_EXAMPLES = 10
LARGEST_FILE_BYTES = 512 * 1024 * 1024

QUOTE = re.compile(r"“([^“”]*)” \[(\d+)\]")
"""A quote in a RAFT example, and the number of its passage."""
PASSAGE = re.compile(r"<passage-\w+ (\d+): [^\n]*>\n(.*?)\n</passage-", re.DOTALL)
"""A passage of a prompt: its number and its text (tasks/prompt.py)."""

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KEYS = {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "refusal"}

Body = Mapping[str, Any]
Messages = Sequence[Mapping[str, Any]]


def has_known_roles(messages: Messages) -> bool:
    """Each message is an object with one of the roles and no key that the format lacks."""
    return all(one.get("role") in ROLES and not set(one) - _KEYS for one in messages)


def has_contents(messages: Messages) -> bool:
    """Each message says something: a text, or an assistant's tool calls."""
    return all(
        (
            isinstance(content := one.get("content"), str)
            and (content.strip() != "" or one["role"] == "tool" or bool(one.get("tool_calls")))
        )
        or (content is None and one["role"] == "assistant" and bool(one.get("tool_calls")))
        for one in messages
    )


def ends_with_assistant(messages: Messages) -> bool:
    """What is learnt is the last word."""
    return bool(messages) and messages[-1].get("role") == "assistant"


def asks_before_it_answers(messages: Messages) -> bool:
    """There is a user's turn."""
    return any(one.get("role") == "user" for one in messages)


def weighs_assistants_alone(messages: Messages) -> bool:
    """`weight` is 0 or 1, and stands on assistant turns alone."""
    return all(
        "weight" not in one
        or (one["role"] == "assistant" and one["weight"] in (0, 1) and type(one["weight"]) is int)
        for one in messages
    )


def trains_something(messages: Messages) -> bool:
    """At least one assistant turn is not weighted 0."""
    return any(one.get("role") == "assistant" and one.get("weight") != 0 for one in messages)


def answers_each_call(messages: Messages) -> bool:
    """Every tool call is answered once before the next turn, and every answer has its call."""
    open_calls: set[str] = set()
    for one in messages:
        if one.get("role") == "tool":
            if one.get("tool_call_id") not in open_calls:
                return False
            open_calls.remove(one["tool_call_id"])
            continue
        if open_calls:
            return False
        if not one.get("tool_calls"):
            continue
        calls = [call.get("id") for call in one["tool_calls"]]
        if one.get("role") != "assistant":
            return False
        if len(set(calls)) != len(calls) or not all(isinstance(call, str) for call in calls):
            return False
        open_calls.update(calls)
    return not open_calls


def _calls(messages: Messages) -> Iterator[Mapping[str, Any]]:
    for one in messages:
        for call in one.get("tool_calls") or ():
            yield call if call.get("type") == "function" else {}


def passes_arguments_as_json(messages: Messages) -> bool:
    """The arguments of every call are a text that is a JSON object."""
    for call in _calls(messages):
        try:
            arguments = json.loads(call["function"]["arguments"])
        except (KeyError, TypeError, ValueError, RecursionError):
            return False
        if not isinstance(arguments, dict):
            return False
    return True


def calls_declared_tools(body: Body) -> bool:
    """Every call names a function that `tools` declares, by a name that the format allows."""
    tools = [tool.get("function", {}).get("name") for tool in body.get("tools") or ()]
    messages = body.get("messages", ())
    return (
        len(set(tools)) == len(tools)
        and all(isinstance(name, str) and _NAME.fullmatch(name) for name in tools)
        and all(call.get("function", {}).get("name") in tools for call in _calls(messages))
    )


_MESSAGE_RULES: dict[str, Callable[[Messages], bool]] = {
    "unknown role or key": has_known_roles,
    "empty message": has_contents,
    "no user turn": asks_before_it_answers,
    "weight": weighs_assistants_alone,
    "unanswered tool call": answers_each_call,
    "tool arguments are not JSON": passes_arguments_as_json,
}


def chat_faults(body: Body) -> list[str]:
    """Which rules a supervised example `{"messages", "tools"}` breaks; [] for none."""
    messages = body.get("messages") or ()
    faults = [name for name, holds in _MESSAGE_RULES.items() if not holds(messages)]
    if not ends_with_assistant(messages):
        faults.append("last message is not the assistant's")
    if not trains_something(messages):
        faults.append("nothing to train on")
    if not calls_declared_tools(body):
        faults.append("undeclared tool")
    return faults


def preference_faults(body: Body) -> list[str]:
    """Which rules a preference pair breaks: `input`, and one assistant's text on either side."""
    given = body.get("input") or {}
    messages = given.get("messages") or ()
    faults = [name for name, holds in _MESSAGE_RULES.items() if not holds(messages)]
    if not calls_declared_tools(given):
        faults.append("undeclared tool")
    if messages and messages[-1].get("role") not in ("user", "tool"):
        faults.append("nothing is asked")
    sides = [body.get("preferred_output"), body.get("non_preferred_output")]
    for side in sides:
        if not (
            isinstance(side, list)
            and len(side) == 1
            and side[0].get("role") == "assistant"
            and isinstance(side[0].get("content"), str)
            and side[0]["content"].strip()
        ):
            faults.append("an answer is not one assistant's text")
            break
    if sides[0] == sides[1]:
        faults.append("both answers are the same")
    return faults


def raft_faults(body: Body) -> list[str]:
    """Which rules a RAFT example breaks: a supervised one's, and that quotes are true."""
    messages = body.get("messages") or ()
    asked = next((one["content"] for one in reversed(messages) if one.get("role") == "user"), "")
    shown = dict(PASSAGE.findall(asked))
    quotes = QUOTE.findall(str(messages[-1].get("content"))) if messages else []
    true = all(quote in shown.get(number, "") for quote, number in quotes)
    return chat_faults(body) + ([] if true else ["a quote is not in its passage"])


def faults(body: Body, kind: str) -> list[str]:
    """Which rules an example of that kind of dataset breaks."""
    rules = {"preference": preference_faults, "raft": raft_faults}
    return rules.get(kind, chat_faults)(body)


def file_faults(examples: int, size_bytes: int) -> list[str]:
    """What keeps a provider from taking a training file as a whole."""
    found = []
    if examples < LEAST_EXAMPLES:
        found.append(f"{examples} examples; a provider asks for {LEAST_EXAMPLES} at least")
    if size_bytes > LARGEST_FILE_BYTES:
        found.append(f"{size_bytes:,} bytes; a provider takes {LARGEST_FILE_BYTES:,} at most")
    return found
