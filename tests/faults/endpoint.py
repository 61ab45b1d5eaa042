"""An OpenAI-compatible embedding endpoint on loopback that misbehaves on request."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

DIMENSIONS = 32

Reply = tuple[int, dict[str, Any]]
Behaviour = Callable[[list[str]], Reply | None]
"""What to answer a request for these texts: a status and a body; None: the right answer."""


def vector(text: str) -> np.ndarray:
    """The text's vector, of length 1: float32 [DIMENSIONS], the same for the same text."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    drawn = np.random.default_rng(seed).standard_normal(DIMENSIONS).astype(np.float32)
    return drawn / np.linalg.norm(drawn)


def failure(status: int, message: str, code: str | None = None) -> Reply:
    """An error as such endpoints word it."""
    return status, {"error": {"message": message, "type": "error", "code": code}}


def success(vectors: list[np.ndarray], model: str = "fake", tokens: int = 0) -> Reply:
    """An answer that gives these vectors, in order."""
    data = [
        {"object": "embedding", "index": index, "embedding": list(map(float, one))}
        for index, one in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return 200, {"object": "list", "model": model, "data": data, "usage": usage}


@dataclass
class Endpoint:
    """The running endpoint: where it is, what it sold, and how it behaves."""

    url: str = ""
    behave: Behaviour = lambda texts: None
    sold: Counter[str] = field(default_factory=Counter)
    requests: list[list[str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: dict[str, Any]) -> Reply:
        """The reply to one request; what is answered well is sold."""
        texts = [request["input"]] if isinstance(request["input"], str) else request["input"]
        with self.lock:
            self.requests.append(texts)
            reply = self.behave(texts)
            if reply is None:
                tokens = sum(len(text.split()) for text in texts)
                reply = success([vector(text) for text in texts], request["model"], tokens)
                self.sold.update(texts)
        status, body = reply
        if status == 200 and request.get("encoding_format") == "base64":
            for one in body["data"]:
                packed = np.array(one["embedding"], dtype="<f4").tobytes()
                one["embedding"] = base64.b64encode(packed).decode()
        return status, body


@contextmanager
def serve() -> Iterator[Endpoint]:
    """An endpoint that lives as long as the block."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, body = endpoint.answer(request)
            payload = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            if status == 429:
                self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that was killed hangs up."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        endpoint.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        yield endpoint
        server.shutdown()
        thread.join()
