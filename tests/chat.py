"""A real HTTP server on loopback that answers as a chat model, and misbehaves on request."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any

from tests.endpoint import Body, Handler, Misbehaviour, error
from tests.loopback import listening


class ChatEndpoint:
    """What the server does, and what it has seen.

    `say` makes the model's words of what it is shown and the passage, `reply` of any other request;
    with `stream` they are sent word by word. `then` queues misbehaviours, each for one of the next
    requests; a passage with a word of `poison` is refused.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Body] = []
        self.authorization = ""
        self.poison: set[str] = set()
        self.refuses_everything = False
        self.knows_max_tokens = True
        self.say: Callable[[str, str], str] = lambda shown, _: f"Of {shown.split()[0]} it speaks."
        self.reply: Callable[[Body], str] = lambda body: self.say(*_prompt(body))
        self.unknown_parameters: set[str] = set()
        self.lock = Lock()
        self.misbehaviours: deque[Misbehaviour] = deque()

    def then(self, *misbehaviours: Misbehaviour) -> None:
        """Misbehave so on the next requests, one each."""
        self.misbehaviours.extend(misbehaviours)

    @property
    def prompts(self) -> list[tuple[str, str]]:
        """What was shown with each request, and the passage that was asked about."""
        return [_prompt(body) for body in self.requests]

    @property
    def passages(self) -> list[str]:
        """The passages that were asked about."""
        return [passage for _, passage in self.prompts]

    def right_answer(self, body: Body) -> Body:
        """What a well-behaved server says."""
        words = self.reply(body)
        sent = sum(len(message["content"].split()) for message in body["messages"])
        return {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": words},
                }
            ],
            "usage": {"prompt_tokens": sent, "completion_tokens": len(words.split())},
        }

    def refusal(self, body: Body) -> tuple[int, Body] | None:
        """Why a request is refused, if it is."""
        passage = body["messages"][-1]["content"].rpartition("<passage>")[2]
        if unknown := self.unknown_parameters & body.keys():
            return 400, error(f"Unsupported parameter: '{unknown.pop()}'")
        if not self.knows_max_tokens and "max_tokens" in body:
            return 400, error("'max_tokens' is not supported; use 'max_completion_tokens' instead")
        if self.refuses_everything or self.poison & set(re.findall(r"\w+", passage)):
            return 400, error("content policy")
        return None


@contextmanager
def chat_endpoint() -> Iterator[ChatEndpoint]:
    """Serve on a free port of loopback."""
    with listening(_ChatHandler) as (server, address):
        endpoint = ChatEndpoint(f"{address}/v1")
        server.endpoint = endpoint  # type: ignore[attr-defined]
        yield endpoint


class _ChatHandler(Handler):
    def do_POST(self) -> None:  # noqa: N802
        """Answer one request for a chat completion."""
        endpoint: ChatEndpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/chat/completions":
            self.answer(404, error("no such path"))
            return
        with endpoint.lock:
            endpoint.requests.append(body)
            endpoint.authorization = self.headers.get("authorization", "")
            misbehave = endpoint.misbehaviours.popleft() if endpoint.misbehaviours else None
        if misbehave is not None:
            misbehave(self, endpoint.right_answer(body))
        elif refusal := endpoint.refusal(body):
            self.answer(*refusal)
        else:
            answer = endpoint.right_answer(body)
            if body.get("stream"):
                self.stream(events(answer))
            else:
                self.answer(200, answer)

    def stream(self, sent: Sequence[Body], *, whole: bool = True) -> None:
        """Send events as they come; one that is not `whole` ends without its end."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        lines = [f"data: {json.dumps(event)}\n\n" for event in sent]
        for line in [*lines, *(["data: [DONE]\n\n"] if whole else [])]:
            data = line.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
        if whole:
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.close_connection = True


def events(answer: Body) -> list[Body]:
    """A whole answer as the events of a stream, a word each; the last ones say how it ended."""
    (choice,) = answer["choices"]
    about = {"id": answer["id"], "object": "chat.completion.chunk", "model": answer["model"]}
    pieces = re.findall(r"\s*\S+|\s+$", choice["message"]["content"])
    choices = [{"index": 0, "delta": {"content": piece}} for piece in pieces]
    choices.append({"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]})
    sent: list[Body] = [{**about, "choices": [one]} for one in choices]
    return [*sent, {**about, "choices": [], "usage": answer["usage"]}]


def broken_stream(words: int, *, politely: bool = False) -> Misbehaviour:
    """Send so many words of the answer and hang up; politely: as if that had been all."""

    def misbehave(handler: Handler, answer: Body) -> None:
        assert isinstance(handler, _ChatHandler)
        handler.stream(events(answer)[:words], whole=politely)

    return misbehave


def filtered_stream(words: int) -> Misbehaviour:
    """Send so many words of the answer; then the provider's filter ends it."""

    def misbehave(handler: Handler, answer: Body) -> None:
        assert isinstance(handler, _ChatHandler)
        *said, end, usage = events(answer)
        end["choices"][0]["finish_reason"] = "content_filter"
        handler.stream([*said[:words], end, usage])

    return misbehave


def _prompt(body: dict[str, Any]) -> tuple[str, str]:
    text = body["messages"][-1]["content"]
    found = re.fullmatch(
        r"<document>\n(.*)\n</document>\n\n<passage>\n(.*)\n</passage>", text, flags=re.DOTALL
    )
    assert found, text
    return found[1], found[2]
