"""A real HTTP server on loopback that speaks the Chat Completions and the Responses API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from itertools import count
from typing import Any

from tests.loopback import listening

CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"city": "Kiel"}'},
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True
    numbers = count(1)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "fail" in str(body.get("messages", body.get("input"))):
            self._send(400, {"error": {"message": "no"}})
        elif self.path.endswith("/responses"):
            self._respond(body)
        else:
            self._complete(body)

    def _complete(self, body: dict[str, Any]) -> None:
        last = body["messages"][-1]
        calls = bool(body.get("tools")) and last["role"] == "user"
        text = None if calls else f"You said: {last['content']}"
        about = {"id": f"chatcmpl-{next(self.numbers)}", "created": 1_700_000_000, "model": "m-1"}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        if not body.get("stream"):
            message = {"role": "assistant", "content": text}
            if calls:
                message["tool_calls"] = [CALL]  # type: ignore[assignment]
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            whole = {**about, "object": "chat.completion", "choices": [choice], "usage": usage}
            self._send(200, whole)
            return
        if calls:
            half = {"index": 0, "function": {"arguments": ': "Kiel"}'}}
            first = {"index": 0, **CALL, "function": {"name": "weather", "arguments": '{"city"'}}
            deltas: list[Any] = [{"tool_calls": [first]}, {"tool_calls": [half]}]
        else:
            deltas = [{"content": piece} for piece in str(text).partition(": ")]
        chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
        chunks.append({"choices": [], "usage": usage})
        self._stream([{**about, "object": "chat.completion.chunk", **chunk} for chunk in chunks])

    def _respond(self, body: dict[str, Any]) -> None:
        given = body["input"]
        said = given if isinstance(given, str) else given[-1]["content"]
        content = [{"type": "output_text", "text": f"You said: {said}", "annotations": []}]
        response = {
            "id": f"resp_{next(self.numbers)}",
            "object": "response",
            "created_at": 1_700_000_000,
            "model": "m-1",
            "output": [
                {"type": "message", "id": "m", "role": "assistant", "status": "completed",
                 "content": content}
            ],
            "usage": {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18},
            "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
        }  # fmt: skip
        if body.get("stream"):
            delta = {"type": "response.output_text.delta", "delta": "You", "sequence_number": 1}
            done = {"type": "response.completed", "response": response, "sequence_number": 2}
            self._stream([delta, done])
        else:
            self._send(200, response)

    def _send(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, events: list[Any]) -> None:
        data = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(data.encode())))
        self.end_headers()
        self.wfile.write(data.encode())

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def model_server() -> Iterator[str]:
    """The base URL of a running server."""
    with listening(_Handler) as (_, address):
        yield f"{address}/v1"
