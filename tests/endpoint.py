"""A real HTTP server on loopback that speaks the embedding protocol, and misbehaves on request."""

from __future__ import annotations

import base64
import json
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any

import numpy as np

from tasks.embedders.hashing import HashingEmbedder
from tests.loopback import listening

Body = dict[str, Any]
Misbehaviour = Callable[["Handler", Body], None]
"""Answers one request, given the answer that would be right."""

KEY = "sk-loopback-0123456789"


@dataclass(frozen=True)
class Request:
    """One request as it came in."""

    texts: list[str]
    parameters: dict[str, Any]
    authorization: str


class EmbeddingEndpoint:
    """What the server does, and what it has seen. Vectors are those of the hashing embedder.

    `then` queues misbehaviours, each for one of the next requests; after them it behaves.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[Request] = []
        self.model = "text-embedding-3-small"
        self.dimensions = 1536
        self.poison: set[str] = set()
        self.refuses_everything = False
        self.most_texts = 2048
        self.knows_base64 = True
        self.states_usage = True
        self.lock = Lock()
        self.misbehaviours: deque[Misbehaviour] = deque()

    def then(self, *misbehaviours: Misbehaviour) -> None:
        """Misbehave so on the next requests, one each."""
        self.misbehaviours.extend(misbehaviours)

    @property
    def texts_answered(self) -> list[str]:
        """All texts that were asked for, in the order of the requests."""
        return [text for request in self.requests for text in request.texts]

    def vector(self, text: str) -> list[float]:
        """The endpoint's vector of a text; its length is not 1."""
        hashed = HashingEmbedder().embed([text])[0] * 3
        repeats = -(-self.dimensions // len(hashed))
        return [float(x) for x in hashed.tolist() * repeats][: self.dimensions]

    def right_answer(self, body: Body) -> Body:
        """What a well-behaved server says."""
        vectors = [self.vector(text) for text in body["input"]]
        if size := body.get("dimensions"):
            vectors = [vector[:size] for vector in vectors]
        answer: Body = {
            "object": "list",
            "model": self.model,
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
        }
        if self.states_usage:
            tokens = sum(len(text.split()) for text in body["input"])
            answer["usage"] = {"prompt_tokens": tokens, "total_tokens": tokens}
        return answer

    def refusal(self, body: Body) -> tuple[int, Body] | None:
        """Why a request is refused, if it is."""
        if self.refuses_everything:
            return 400, error("the input is invalid")
        if len(body["input"]) > self.most_texts:
            return 422, error(f"batch size {len(body['input'])} > {self.most_texts}")
        if self.poison & set(body["input"]):
            return 400, error("'$.input' is invalid", param="input")
        if body.get("encoding_format") == "base64" and not self.knows_base64:
            return 400, error("unknown parameter: encoding_format")
        return None


@contextmanager
def embedding_endpoint() -> Iterator[EmbeddingEndpoint]:
    """Serve on a free port of loopback."""
    with listening(Handler) as (server, address):
        endpoint = EmbeddingEndpoint(f"{address}/v1")
        server.endpoint = endpoint  # type: ignore[attr-defined]
        yield endpoint


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body of an answer are written one after the other

    def do_POST(self) -> None:
        """Answer one request for embeddings."""
        endpoint: EmbeddingEndpoint = self.server.endpoint  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/v1/embeddings":
            self.answer(404, error("no such path"))
            return
        parameters = {name: value for name, value in body.items() if name != "input"}
        with endpoint.lock:
            endpoint.requests.append(
                Request(body["input"], parameters, self.headers.get("authorization", ""))
            )
            misbehave = endpoint.misbehaviours.popleft() if endpoint.misbehaviours else None
        answer = endpoint.right_answer(body)
        if misbehave is not None:
            misbehave(self, answer)
        elif refusal := endpoint.refusal(body):
            self.answer(*refusal)
        else:
            self.answer(200, encoded(answer) if "base64" in parameters.values() else answer)

    def answer(
        self, status: int, body: Body | bytes, headers: dict[str, str] | None = None
    ) -> None:
        """Send an answer."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


def error(message: str, **fields: Any) -> Body:
    """An error as OpenAI words it."""
    return {"error": {"message": message, "type": None, "param": None, "code": None, **fields}}


def encoded(answer: Body) -> Body:
    """The answer with its vectors in base64."""
    for item in answer["data"]:
        raw = np.array(item["embedding"], "<f4").tobytes()
        item["embedding"] = base64.b64encode(raw).decode()
    return answer


def status(code: int, message: str = "try again", **headers: str) -> Misbehaviour:
    """Answer with an HTTP error; `retry_after="1"` becomes the header `retry-after: 1`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler, _: handler.answer(code, error(message), named)


def retry_at(seconds: float) -> Misbehaviour:
    """429 with a Retry-After that is a date."""
    return lambda handler, _: handler.answer(
        429, error("slow down"), {"retry-after": formatdate(time.time() + seconds, usegmt=True)}
    )


def no_quota(handler: Handler, _: Body) -> None:
    """429 that no waiting helps."""
    handler.answer(429, error("You exceeded your current quota", code="insufficient_quota"))


def echo_key(handler: Handler, _: Body) -> None:
    """401 whose message repeats the key."""
    handler.answer(401, error(f"Incorrect API key provided: {KEY}", code="invalid_api_key"))


def silence(seconds: float) -> Misbehaviour:
    """Say nothing for a while, then hang up."""

    def misbehave(handler: Handler, _: Body) -> None:
        time.sleep(seconds)
        handler.close_connection = True

    return misbehave


def hang_up(handler: Handler, _: Body) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def cut_body(handler: Handler, answer: Body) -> None:
    """Promise the whole answer and send half of it."""
    content = json.dumps(answer).encode()
    handler.send_response(200)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def garbage(handler: Handler, _: Body) -> None:
    """200 with something that is not JSON."""
    handler.answer(200, b"<html>proxy error</html>")


def changed(change: Callable[[Body], None]) -> Misbehaviour:
    """The right answer after `change` has altered it."""

    def misbehave(handler: Handler, answer: Body) -> None:
        change(answer)
        handler.answer(200, answer)

    return misbehave


shuffled = changed(lambda answer: answer["data"].reverse())
missing_index = changed(lambda answer: answer["data"].pop())
duplicate_index = changed(lambda answer: answer["data"][1].update(index=0))
another_model = changed(lambda answer: answer.update(model="text-embedding-ada-002"))
dated_model = changed(lambda answer: answer.update(model=answer["model"] + "-2024-01-25"))


def wrong_dimensions(dimensions: int) -> Misbehaviour:
    """Vectors of another length."""

    def cut(answer: Body) -> None:
        for item in answer["data"]:
            item["embedding"] = item["embedding"][:dimensions]

    return changed(cut)


def vector_of(position: int, value: float) -> Misbehaviour:
    """One vector full of `value`: zero, infinite or not a number."""

    def fill(answer: Body) -> None:
        item = answer["data"][position]
        item["embedding"] = [value] * len(item["embedding"])

    return changed(fill)
