"""The provider's rules, each by an example that breaks it alone."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from tasks.datasets.validate import chat_faults, file_faults, preference_faults

CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "find", "arguments": '{"city": "Bonn"}'},
}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Find Bonn."},
        {"role": "assistant", "content": None, "tool_calls": [CALL], "weight": 0},
        {"role": "tool", "content": "[]", "tool_call_id": "c1"},
        {"role": "assistant", "content": "Nothing there.", "weight": 1},
    ],
    "tools": [{"type": "function", "function": {"name": "find", "parameters": {}}}],
}
PAIR: dict[str, Any] = {
    "input": {"messages": [{"role": "user", "content": "Why?"}]},
    "preferred_output": [{"role": "assistant", "content": "Because."}],
    "non_preferred_output": [{"role": "assistant", "content": "No."}],
}


def test_a_valid_example_has_no_fault() -> None:
    assert chat_faults(CHAT) == []
    assert preference_faults(PAIR) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ((0, "role"), "narrator", "unknown role or key"),
        ((1, "mood"), "good", "unknown role or key"),
        ((1, "content"), None, "empty message"),
        ((1, "content"), " ", "empty message"),
        ((1, "content"), [{"type": "image_url"}], "empty message"),
        ((1, "role"), "system", "no user turn"),
        ((1, "weight"), 1, "weight"),
        ((4, "weight"), 0.5, "weight"),
        ((4, "weight"), True, "weight"),
        ((4, "weight"), 0, "nothing to train on"),
        ((4, "role"), "user", "last message is not the assistant's"),
        ((3, "tool_call_id"), "c2", "unanswered tool call"),
        ((3, "role"), "user", "unanswered tool call"),
        ((2, "tool_calls", 0, "function", "arguments"), "{city", "tool arguments are not JSON"),
        ((2, "tool_calls", 0, "function", "arguments"), '["Bonn"]', "tool arguments are not JSON"),
        ((2, "tool_calls", 0, "function", "arguments"), {"city": 1}, "tool arguments are not JSON"),
        ((2, "tool_calls", 0, "function", "name"), "search", "undeclared tool"),
    ],
)
def test_each_rule_of_a_supervised_example(path: tuple[Any, ...], value: Any, fault: str) -> None:
    body = deepcopy(CHAT)
    place: Any = body["messages"]
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value
    assert fault in chat_faults(body)


def test_two_calls_with_one_id_are_a_fault() -> None:
    body = deepcopy(CHAT)
    body["messages"][2]["tool_calls"] = [CALL, CALL]
    assert "unanswered tool call" in chat_faults(body)


def test_tools_declared_twice_or_with_a_strange_name_are_a_fault() -> None:
    for tools in (CHAT["tools"] * 2, [{"type": "function", "function": {"name": "find it"}}]):
        assert "undeclared tool" in chat_faults({**CHAT, "tools": tools})


def test_nothing_is_no_example() -> None:
    assert "nothing to train on" in chat_faults({})
    assert "an answer is not one assistant's text" in preference_faults({})


@pytest.mark.parametrize(
    ("key", "value", "fault"),
    [
        ("preferred_output", PAIR["preferred_output"] * 2, "an answer is not one assistant's text"),
        (
            "preferred_output",
            [{"role": "user", "content": "x"}],
            "an answer is not one assistant's",
        ),
        ("non_preferred_output", [{"role": "assistant", "content": ""}], "an answer is not one"),
        ("non_preferred_output", PAIR["preferred_output"], "both answers are the same"),
        (
            "input",
            {"messages": [*PAIR["input"]["messages"], *PAIR["preferred_output"]]},
            "nothing is",
        ),
        ("input", {"messages": []}, "no user turn"),
    ],
)
def test_each_rule_of_a_preference_pair(key: str, value: Any, fault: str) -> None:
    assert any(one.startswith(fault) for one in preference_faults({**PAIR, key: value}))


def test_each_rule_of_a_file() -> None:
    assert file_faults(10, 512 * 1024 * 1024) == []
    assert "10 at least" in file_faults(9, 1)[0]
    assert "at most" in file_faults(10, 512 * 1024 * 1024 + 1)[0]
