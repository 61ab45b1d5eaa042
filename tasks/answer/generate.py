"""The model's words, as they come, from any endpoint that speaks the Chat Completions API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Event
from typing import Any

import openai

from tasks.answer.prompt import Message
from tasks.endpoint import Endpoint, Patience, TryAgain
from tasks.records import ChatModel
from tasks.settings import Settings

_PATIENCE = Patience(tries=4, first_wait=0.5, longest_wait=20.0, answer_within=60.0)
_WHOLE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Generated:
    """How a model's answer ended; its words were heard. `broken` says why not as it should have.

    `lasting`: to ask again would end alike. `cut`: the answer was longer than it might be. Tokens
    are the endpoint's count; None where it gives none.
    """

    id: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cut: bool = False
    broken: str | None = None
    lasting: bool = False


class Generator(Endpoint):
    """One chat model. The configured key is sent to the configured endpoint and to no other."""

    setting = "ANSWER"
    product = "answer"
    remedy = "Check OPENBOOK_ANSWER_URL and OPENBOOK_ANSWER_MODEL."

    def __init__(
        self, settings: Settings, model: ChatModel, patience: Patience = _PATIENCE
    ) -> None:
        """Nothing is sent yet. Raises Fatal when there is no usable key."""
        key = settings.answer_key if model.url == settings.answer_url else None
        super().__init__(model.url, key, model.model, patience)
        self._options: dict[str, Any] = {
            "temperature": 0,
            "stream_options": {"include_usage": True},
        }
        self._limit = "max_tokens"

    def generate(
        self,
        messages: Sequence[Message],
        most_tokens: int,
        hear: Callable[[str], None],
        stop: Event | None = None,
    ) -> Generated:
        """Ask, and let `hear` have each piece of the answer when it comes.

        Until the first piece the request is sent again where that can help; a stream that breaks
        later is broken, and what came was heard. `stop` ends the waiting. Where nothing came, it
        raises Rejected, Retryable or Fatal.
        """
        stop = stop or Event()
        stream = self.ask(lambda: self._begin(messages, most_tokens), stop)
        return stream.hear(hear, time.monotonic() + _WHOLE_SECONDS, stop)

    def adapt(self, message: str) -> bool:
        """Some models refuse a parameter that others want, and say which."""
        if "max_completion_tokens" in message and self._limit == "max_tokens":
            self._limit = "max_completion_tokens"
            return True
        refused = [name for name in self._options if name in message]
        for name in refused:
            del self._options[name]
        return bool(refused)

    def _begin(self, messages: Sequence[Message], most_tokens: int) -> _Stream:
        create: Any = self._client.chat.completions.create
        asked = {**self._options, self._limit: most_tokens}
        answered = create(model=self.model, messages=list(messages), stream=True, **asked)
        try:
            return _Stream(answered, self._quote)
        except _Broken as broken:
            raise TryAgain(str(broken)) from None


@lru_cache(maxsize=8)
def open_generator(settings: Settings, model: ChatModel) -> Generator:
    """The model's generator, one a process: it keeps its connections, and what it has learned."""
    return Generator(settings, model)


class _Broken(Exception):
    """A stream ended before its answer did."""


class _Filtered(_Broken):
    """Its provider lets no more of this answer pass, and would not the next time."""


class _Stream:
    """An answer that has begun: its first piece has come."""

    def __init__(self, events: openai.Stream[Any], quote: Callable[[str], str]) -> None:
        self._events = events
        self._quote = quote
        self._id: str | None = None
        self._tokens: tuple[int | None, int | None] = (None, None)
        self._finish: str | None = None
        self._pieces = self._read()
        self._first = next(self._pieces, "")
        if not self._first and self._finish is None:
            raise _Broken("its answer ended before it began")

    def hear(self, hear: Callable[[str], None], until: float, stop: Event) -> Generated:
        broken, lasting = None, False
        try:
            piece: str | None = self._first
            while piece is not None:
                hear(piece)
                if stop.is_set():
                    raise _Broken("nobody waited for it any longer")
                if time.monotonic() > until:
                    raise _Broken("it took too long")
                piece = next(self._pieces, None)
            if self._finish is None:
                raise _Broken("the connection ended before the answer did")
            if self._finish == "content_filter":
                raise _Filtered("its provider's filter ended the answer")
        except _Broken as reason:
            broken, lasting = str(reason), isinstance(reason, _Filtered)
        finally:
            self._events.close()
        return Generated(self._id, *self._tokens, self._finish == "length", broken, lasting)

    def _read(self) -> Iterator[str]:
        try:
            for event in self._events:
                self._id = self._id or getattr(event, "id", None)
                if usage := getattr(event, "usage", None):
                    self._tokens = (usage.prompt_tokens, usage.completion_tokens)
                for choice in event.choices or ():
                    self._finish = choice.finish_reason or self._finish
                    if choice.delta and choice.delta.content:
                        yield choice.delta.content
        except openai.APIStatusError:
            raise
        except (openai.APIError, OSError, ValueError, AttributeError, TypeError) as error:
            raise _Broken(self._quote(f"{type(error).__name__}: {error}")) from None
        except Exception as error:
            # The transport's own errors reach us bare while a stream is read.
            if not type(error).__module__.startswith(("httpx", "httpcore", "h11")):
                raise
            raise _Broken(self._quote(f"{type(error).__name__}: {error}")) from None
