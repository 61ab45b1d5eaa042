"""The formats: each is told by its fields, and says the same in the tables."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.conversations.conftest import Log, chat, lines

CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"q": 1}'}}
ASKED = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Weather?"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "Sunny"},
]
ANSWER = {"role": "assistant", "content": "It is sunny."}


def attributes(**values: Any) -> list[dict[str, Any]]:
    wrapped = {str: "stringValue", int: "intValue", float: "doubleValue"}
    return [
        {"key": name.replace("__", "."), "value": {wrapped[type(value)]: value}}
        for name, value in values.items()
    ]


def span(**values: Any) -> dict[str, Any]:
    return {
        "traceId": "5b8e",
        "startTimeUnixNano": "1700000000000000000",
        "endTimeUnixNano": "1700000001500000000",
        "attributes": attributes(**values),
    }


OTEL = {
    "resourceSpans": [
        {
            "resource": {"attributes": attributes(service__name="shop")},
            "scopeSpans": [
                {
                    "spans": [
                        {
                            **span(
                                gen_ai__operation__name="retrieval",
                                gen_ai__retrieval__documents=json.dumps([{"id": "7"}, {"id": "9"}]),
                            ),
                            "startTimeUnixNano": "1699999999000000000",
                        },
                        {
                            **span(
                                gen_ai__operation__name="chat",
                                gen_ai__conversation__id="x",
                                gen_ai__response__model="m-1",
                                gen_ai__usage__input_tokens=11,
                                gen_ai__usage__output_tokens=7,
                                gen_ai__system_instructions=json.dumps(
                                    [{"type": "text", "content": "Be kind."}]
                                ),
                                gen_ai__input__messages=json.dumps(
                                    [
                                        {
                                            "role": "user",
                                            "parts": [{"type": "text", "content": "Weather?"}],
                                        },
                                        {
                                            "role": "assistant",
                                            "parts": [
                                                {
                                                    "type": "tool_call",
                                                    "id": "c1",
                                                    "name": "weather",
                                                    "arguments": '{"q": 1}',
                                                }
                                            ],
                                        },
                                        {
                                            "role": "tool",
                                            "parts": [
                                                {
                                                    "type": "tool_call_response",
                                                    "id": "c1",
                                                    "response": "Sunny",
                                                }
                                            ],
                                        },
                                    ]
                                ),
                                gen_ai__output__messages=json.dumps(
                                    [
                                        {
                                            "role": "assistant",
                                            "parts": [{"type": "text", "content": "It is sunny."}],
                                            "finish_reason": "stop",
                                        }
                                    ]
                                ),
                            ),
                            "events": [
                                {
                                    "name": "gen_ai.evaluation.result",
                                    "attributes": attributes(
                                        gen_ai__evaluation__name="kindness",
                                        gen_ai__evaluation__score__value=4.0,
                                    ),
                                }
                            ],
                        },
                    ]
                }
            ],
        }
    ]
}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "m-1",
    "conversation": {"id": "x"},
    "instructions": "Be kind.",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "Weather?"}]},
        {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"q": 1}'},
        {"type": "function_call_output", "call_id": "c1", "output": "Sunny"},
    ],
    "output": [
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "It is sunny."}],
        }
    ],
    "usage": {"input_tokens": 11, "output_tokens": 7},
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "m-1",
    "metadata": {"conversation_id": "x", "user_id": "anna"},
    "messages": ASKED,
    "choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 7},
}
PAIR = {
    "custom_id": "1",
    "body": {"model": "m", "messages": ASKED, "metadata": {"conversation_id": "x"}},
    "response": {"status_code": 200, "body": {**COMPLETION, "messages": None}},
}
SHAREGPT = {
    "id": "x",
    "system": "Be kind.",
    "conversations": [
        {"from": "human", "value": "Weather?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": "{\\"q\\": 1}"}'},
        {"from": "observation", "value": "Sunny"},
        {"from": "gpt", "value": "It is sunny."},
    ],
}


@pytest.mark.parametrize(
    ("format", "line"),
    [
        ("chat", {"id": "x", "messages": [*ASKED, ANSWER]}),
        ("completions", COMPLETION),
        ("completions", PAIR),
        ("completions", {"object": "list", "data": [COMPLETION]}),
        ("responses", RESPONSE),
        ("sharegpt", SHAREGPT),
        ("otel", OTEL),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_one_conversation_is_the_same_in_every_format(
    log: Log, format: str, line: dict[str, Any], indent: int | None
) -> None:
    report = log.load(json.dumps(line, indent=indent))
    assert (report.format, report.added, report.rejections) == (format, 1, ())
    assert log.said("role, content, tool_calls->0->'function'") == [
        ("system", "Be kind.", None),
        ("user", "Weather?", None),
        ("assistant", None, {"name": "weather", "arguments": '{"q": 1}'}),
        ("tool", "Sunny", None),
        ("assistant", "It is sunny.", None),
    ]
    assert log.ask("select external_id from conversations") == [("x",)]
    if format not in ("chat", "sharegpt"):
        assert log.said("model, input_tokens, output_tokens")[-1] == ("m-1", 11, 7)
    if format != "sharegpt":  # it has no ids of calls
        assert log.said("tool_call_id")[3] == ("c1",)


def test_a_task_of_mtrag_is_a_conversation_that_ends_in_the_reference_answer(log: Log) -> None:
    human = {"author_type": "human", "author_id": "p-7", "created_at": 1_700_000_000}
    model = {"author_type": "model", "author_id": "m-1", "created_at": 1_700_000_009}
    context = {"document_id": "d-1", "text": "It is sunny.", "title": "Weather"}
    task = {
        "conversation_id": "x",
        "task_id": "x<::>1",
        "turn": "1",
        "contexts": [context],
        "input": [{"speaker": "user", "text": "Weather?", "metadata": human}],
        "targets": [{"speaker": "agent", "text": "It is sunny.", "metadata": model}],
        "answerability": ["ANSWERABLE"],
    }
    broken = {**task, "targets": [{"speaker": "agent", "text": None}]}
    report = log.load(lines(task, broken))
    assert (report.format, report.added) == ("mtrag", 1)
    assert [one.reason for one in report.rejections] == ["Turn 2 has no text"]
    assert log.said("role, content, model, metadata->'contexts'->0->>'document_id'") == [
        ("user", "Weather?", None, None),
        ("assistant", "It is sunny.", "m-1", "d-1"),
    ]
    assert log.ask("select external_id, metadata->'answerability'->>0 from conversations") == [
        ("x", "ANSWERABLE")
    ]


def test_spans_bring_latency_retrieved_chunks_and_evaluations(log: Log) -> None:
    log.load(lines(OTEL))
    assert log.said("latency_ms, chunk_ids")[-1] == (1500, [7, 9])
    assert log.ask("select kind, ordinal, value, source from feedback") == [
        ("score", 5, 4.0, "kindness")
    ]
    assert log.ask("select metadata->>'service' from conversations") == [("shop",)]


def test_messages_of_older_spans_stand_in_events(log: Log) -> None:
    events = [
        {"name": "gen_ai.user.message", "attributes": attributes(content="Hello")},
        {
            "name": "gen_ai.choice",
            "attributes": attributes(message=json.dumps({"content": "Hi"}), index=0),
        },
    ]
    spans = [{**span(gen_ai__operation__name="chat"), "events": events}]
    log.load(lines({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}))
    assert log.said() == [("user", "Hello"), ("assistant", "Hi")]


def test_weights_names_older_functions_and_parts_are_kept(log: Log) -> None:
    two_texts = [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
    ]
    messages = [
        {"role": "user", "content": parts, "name": "ann"},
        {"role": "assistant", "content": "A pump.", "weight": 0},
        {"role": "user", "content": two_texts},
        {"role": "assistant", "function_call": {"name": "look", "arguments": "{}"}},
        {"role": "function", "name": "look", "content": "Blue"},
        {"role": "assistant", "content": "Blue.", "weight": 1},
    ]  # fmt: skip
    log.load(lines({"messages": messages, "functions": [{"name": "look"}]}))
    assert log.said("role, content, parts is null, weight, name") == [
        ("user", "What is this?", False, None, "ann"),
        ("assistant", "A pump.", True, 0, None),
        ("user", "One\n\ntwo", True, None, None),
        ("assistant", None, True, None, None),
        ("tool", "Blue", True, None, "look"),
        ("assistant", "Blue.", True, 1, None),
    ]
    assert log.ask("select tools from conversations") == [
        ([{"type": "function", "function": {"name": "look"}}],)
    ]


@pytest.mark.parametrize(
    "line",
    [
        {
            "input": {"messages": [{"role": "user", "content": "Hello"}]},
            "preferred_output": [{"role": "assistant", "content": "Good day"}],
            "non_preferred_output": [{"role": "assistant", "content": "What?"}],
        },
        {
            "chosen": chat("Hello", "Good day")["messages"],
            "rejected": chat("Hello", "What?")["messages"],
        },
        {"prompt": "Hello", "chosen": "Good day", "rejected": "What?"},
    ],
)
def test_a_preference_is_the_better_answer_with_the_other_as_what_it_replaced(
    log: Log, line: dict[str, Any]
) -> None:
    assert log.load(lines(line)).format == "preference"
    assert log.said() == [("user", "Hello"), ("assistant", "Good day")]
    assert log.ask("select kind, ordinal, alternative->>'content' from feedback") == [
        ("regeneration", 2, "What?")
    ]


def test_feedback_beside_and_on_messages_is_loaded_once(log: Log) -> None:
    line = chat("Hello", "What?", id="a", feedback=[{"type": "score", "value": 4, "comment": "ok"}])
    line["messages"][1]["feedback"] = {"thumb": "down", "correction": "Good day"}
    for _ in range(2):
        log.load(lines(line))
    assert log.ask(
        "select ordinal, kind, value, comment, alternative->>'content' from feedback order by kind"
    ) == [
        (2, "correction", None, None, "Good day"),
        (None, "score", 4.0, "ok", None),
        (2, "thumb", -1.0, None, None),
    ]


def test_feedback_on_an_answer_that_is_no_longer_there_is_left_out(log: Log) -> None:
    log.load(lines(chat("Hello", "Hi", "More", "Yes", id="a")))
    line = chat("Hello", "What?", id="a")
    line["messages"][1]["rating"] = "down"
    assert log.load(lines(line)).feedback == 0


def test_lines_of_several_formats_stand_in_one_file(log: Log) -> None:
    report = log.load(lines({**SHAREGPT, "id": "y"}, COMPLETION, chat("Hello", "Hi")))
    assert (report.read, report.format, report.whole) == (3, None, True)
    formats = log.ask("select format from conversations order by format")
    assert formats == [("chat",), ("completions",), ("sharegpt",)]


def test_a_format_that_is_named_is_believed(log: Log) -> None:
    line = {**chat("Hello", "Hi"), "items": [{"from": "human", "value": "Other"}]}
    assert log.load(lines(line), format="sharegpt").format == "sharegpt"
    assert log.said() == [("user", "Other")]
