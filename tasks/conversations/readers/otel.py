"""OpenTelemetry spans in OTLP JSON, by the semantic conventions for generative AI.

Names as of the conventions' version 1.41 (opentelemetry.io/docs/specs/semconv/gen-ai): messages in
`gen_ai.input.messages` and `gen_ai.output.messages`, as attributes or on the event
`gen_ai.client.inference.operation.details`; before 1.37, one event a message.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tasks.conversations.parse import parse
from tasks.conversations.readers.chat import read_message, role_of
from tasks.conversations.readers.fields import as_text, call, first, listed, moment, whole
from tasks.conversations.values import Conversation, Feedback, Json, Message
from tasks.errors import Rejected

_ANSWERS = {"chat", "text_completion", "generate_content", None}
_DETAILS = "gen_ai.client.inference.operation.details"
_OLDER = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
}


def read_spans(line: Json) -> list[Conversation]:
    """The model calls of an export request, each a conversation in the state after its answer.

    Calls of one `gen_ai.conversation.id`, else of one trace, are states of one conversation. The
    documents of a trace's retrieval belong to the answer after it. Other spans are passed over.
    """
    conversations = []
    retrieved: dict[str, list[Any]] = {}
    for attributes, span in sorted(_spans(line), key=lambda pair: _started(pair[1])):
        trace = str(span.get("traceId", ""))
        documents = _json(attributes.get("gen_ai.retrieval.documents"))
        operation = attributes.get("gen_ai.operation.name")
        if isinstance(documents, list):
            retrieved.setdefault(trace, []).extend(documents)
        if operation in _ANSWERS:
            conversation = _conversation(attributes, span, retrieved.get(trace, []))
            if conversation is not None:
                retrieved.pop(trace, None)
                conversations.append(conversation)
    return conversations


def _conversation(attributes: Json, span: Json, documents: list[Any]) -> Conversation | None:
    events = [
        (event.get("name"), _attributes(event.get("attributes")))
        for event in span.get("events") or ()
        if isinstance(event, dict)
    ]
    for name, details in events:
        if name == _DETAILS:
            attributes = {**details, **attributes}
    messages = _messages(attributes) or _older_messages(events)
    if not messages or messages[-1].role != "assistant":
        return None  # content was not recorded, or there was no answer
    started, ended = moment(span.get("startTimeUnixNano")), moment(span.get("endTimeUnixNano"))
    chunk_ids = [one["id"] for one in documents if _is_ours(one)]
    messages[-1] = messages[-1]._replace(
        external_id=first(attributes, ("gen_ai.response.id",)),
        model=first(attributes, ("gen_ai.response.model", "gen_ai.request.model")),
        input_tokens=whole(attributes.get("gen_ai.usage.input_tokens")),
        output_tokens=whole(attributes.get("gen_ai.usage.output_tokens")),
        latency_ms=whole((ended - started).total_seconds() * 1000) if started and ended else None,
        chunk_ids=[int(one) for one in chunk_ids] or None,
        metadata={"retrieved": documents} if documents and not chunk_ids else None,
        said_at=ended,
    )
    trace = first(span, ("traceId",))
    about = {
        "provider": attributes.get("gen_ai.provider.name", attributes.get("gen_ai.system")),
        "service": attributes.get("service.name"),
        "trace_id": trace,
    }
    return Conversation(
        messages,
        external_id=first(attributes, ("gen_ai.conversation.id",)) or trace,
        user=first(attributes, ("user.id", "enduser.id")),
        tenant=first(attributes, ("tenant.id", "organization.id")),
        model=messages[-1].model,
        started_at=started,
        ended_at=ended,
        tools=_tools(attributes.get("gen_ai.tool.definitions")),
        metadata={name: value for name, value in about.items() if value},
        feedback=tuple(_evaluations(events, len(messages))),
    )


def _spans(line: Json) -> Iterator[tuple[Json, Json]]:
    """Each span with its attributes over those of its resource."""
    groups = listed(line.get("resourceSpans", line.get("resource_spans")), "`resourceSpans`")
    for group in groups:
        if not isinstance(group, dict):
            raise Rejected("A resource span is no object", "Export OTLP JSON.")
        resource = group.get("resource")
        common = _attributes(resource.get("attributes") if isinstance(resource, dict) else None)
        for scope in group.get("scopeSpans") or group.get("scope_spans") or ():
            for span in scope.get("spans") or () if isinstance(scope, dict) else ():
                if isinstance(span, dict):
                    yield {**common, **_attributes(span.get("attributes"))}, span


def _started(span: Json) -> int:
    given = span.get("startTimeUnixNano", 0)
    return int(given) if str(given).isdigit() else 0


def _attributes(given: Any) -> Json:
    pairs = given if isinstance(given, list) else []
    return {
        str(pair.get("key")): _value(pair.get("value")) for pair in pairs if isinstance(pair, dict)
    }


def _value(given: Any) -> Any:
    """A value out of OTLP's `AnyValue`."""
    if not isinstance(given, dict):
        return given
    if "intValue" in given:
        return int(given["intValue"]) if str(given["intValue"]).lstrip("-").isdigit() else None
    if "arrayValue" in given:
        return [_value(one) for one in (given["arrayValue"] or {}).get("values") or ()]
    if "kvlistValue" in given:
        return _attributes((given["kvlistValue"] or {}).get("values"))
    return next(
        (given[name] for name in ("stringValue", "boolValue", "doubleValue") if name in given), None
    )


def _json(given: Any) -> Any:
    """What an attribute holds as structure, or as JSON in a text."""
    if not isinstance(given, str):
        return given
    try:
        return parse(given.encode())
    except Rejected:
        return None


def _messages(attributes: Json) -> list[Message]:
    messages: list[Message] = []
    system = _json(attributes.get("gen_ai.system_instructions"))
    if isinstance(system, list) and system:
        messages += _from_parts({"role": "system", "parts": system}, 1)
    for name in ("gen_ai.input.messages", "gen_ai.output.messages"):
        given = _json(attributes.get(name))
        for one in given if isinstance(given, list) else ():
            if not isinstance(one, dict):
                raise Rejected(f"A message of {name} is no object", "Follow the conventions.")
            messages += _from_parts(one, len(messages) + 1)
    return messages


def _from_parts(one: Json, ordinal: int) -> list[Message]:
    """A message in parts; each tool response is a message of its own."""
    place = f"message {ordinal}"
    role = role_of(one.get("role"), place)
    given = one.get("parts")
    if not isinstance(given, list):
        return [read_message(one, ordinal)]
    texts: list[str] = []
    calls: list[Json] = []
    others: list[Any] = []
    answers: list[Message] = []
    metadata: Json = {}
    for part in given:
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            texts.append(as_text(part.get("content")))
        elif kind == "tool_call":
            calls.append(call(part.get("id"), part.get("name"), part.get("arguments"), place))
        elif kind == "tool_call_response":
            answer = part.get("response", part.get("result"))
            answers.append(Message("tool", as_text(answer), tool_call_id=first(part, ("id",))))
        elif kind == "reasoning":
            metadata["reasoning"] = part.get("content")
        else:
            others.append(part)
    if answers and not (texts or calls or others):
        return answers
    return [
        *answers,
        Message(
            role,
            "\n\n".join(texts) if texts else None,
            calls or None,
            parts=given if others else None,
            metadata=metadata or None,
        ),
    ]


def _older_messages(events: list[tuple[Any, Json]]) -> list[Message]:
    messages: list[Message] = []
    for name, attributes in events:
        role = _OLDER.get(str(name))
        if role is None:
            continue
        body = {
            key: _json(value) if key != "content" else value for key, value in attributes.items()
        }
        inner = body.get("message")
        given = {**body, **inner} if isinstance(inner, dict) else body
        if "id" in given and role == "tool":
            given["tool_call_id"] = given.pop("id")
        if given.get("content") is None and not given.get("tool_calls"):
            continue
        messages.append(read_message({**given, "role": role}, len(messages) + 1))
    return messages


def _evaluations(events: list[tuple[Any, Json]], ordinal: int) -> Iterator[Feedback]:
    for name, attributes in events:
        score = attributes.get("gen_ai.evaluation.score.value")
        if name == "gen_ai.evaluation.result" and isinstance(score, (int, float)):
            yield Feedback(
                "score",
                ordinal,
                float(score),
                comment=first(attributes, ("gen_ai.evaluation.explanation",)),
                source=first(attributes, ("gen_ai.evaluation.name",)),
            )


def _is_ours(document: Any) -> bool:
    """Whether a retrieved document is named by a chunk's number."""
    return isinstance(document, dict) and str(document.get("id", "")).isdigit()


def _tools(given: Any) -> list[Any] | None:
    tools = _json(given)
    if not isinstance(tools, list) or not tools:
        return None
    return [
        {"type": "function", "function": {k: v for k, v in tool.items() if k != "type"}}
        if isinstance(tool, dict) and "function" not in tool
        else tool
        for tool in tools
    ]
