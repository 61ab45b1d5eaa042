"""One request to an OpenAI-compatible endpoint: sent, and sent again where that can help."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any, TypeVar

import openai

from tasks.errors import Fatal, Rejected, Retryable

OPENAI_URL = "https://api.openai.com/v1"
_NO_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Patience:
    """How often and how long a request is tried; seconds.

    The wait before try n + 1 is drawn from 0 to `first_wait` x 2^(n - 1) ("full jitter"), or is
    what the endpoint asks for and a little more; a request to wait longer than `longest_wait` is
    not waited for.
    """

    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 60.0
    answer_within: float = 120.0

    def wait(self, tries: int, asked: float | None) -> float | None:
        """Seconds before the next try after `tries` of them; None: give up."""
        if tries >= self.tries or (asked or 0.0) > self.longest_wait:
            return None
        backoff = random.uniform(0.0, min(self.first_wait * 2 ** (tries - 1), self.longest_wait))  # noqa: S311
        return backoff if asked is None else asked + min(backoff, 1.0)


class TryAgain(Exception):
    """The same request may succeed; `wait` is what the endpoint asked for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(f"{message} (asks to wait {wait:.0f} s)" if wait else message)
        self.wait = wait


class Endpoint:
    """The endpoint of one model, which the settings `OPENBOOK_<SETTING>_…` name.

    What it gives is said in `product`, what its settings are besides the key in `remedy`. May be
    used by several threads at once.
    """

    setting = ""
    product = ""
    remedy = ""
    setting_parameters = frozenset({"model"})
    """Who is told that one of these is wrong has no bad input, but a wrong setting."""

    def __init__(self, url: str | None, key: str | None, model: str, patience: Patience) -> None:
        """Nothing is sent yet; without a URL it is OpenAI's. Raises Fatal for an unusable key."""
        self.url = url or OPENAI_URL
        self.model = model
        self._key = _usable_key(self.setting, url, key)
        self._patience = patience
        self._client = openai.OpenAI(
            api_key=self._key,
            base_url=self.url,
            max_retries=0,
            timeout=openai.Timeout(patience.answer_within, connect=10.0),
        )

    def ask(self, send: Callable[[], Answer], stop: Event) -> Answer:
        """Call `send` until it is answered; `stop` ends the waiting.

        Raises Rejected when the endpoint refuses this input, Retryable when it stays unavailable,
        Fatal when no request can succeed.
        """
        tries = 0
        while True:
            try:
                return self._try(send)
            except TryAgain as failure:
                tries += 1
                wait = self._patience.wait(tries, failure.wait)
                if wait is None or stop.wait(wait):
                    raise Retryable(
                        f"{self.url} gave no {self.product} after {tries} tries: {failure}",
                        "See whether it is up, and run it again later.",
                    ) from None

    def adapt(self, _message: str) -> bool:
        """Whether a request that was refused with this message is worth sending in another form."""
        return False

    def _try(self, send: Callable[[], Answer]) -> Answer:
        # `from None` below: the causes hold the request's headers, and with them the key.
        try:
            return send()
        except openai.APIStatusError as error:
            raise self._reason(error) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise TryAgain(self._quote(f"{type(cause).__name__}: {cause}")) from None

    def _reason(self, error: openai.APIStatusError) -> Exception:
        """What a refusal means for the caller."""
        status, body = error.status_code, error.body if isinstance(error.body, dict) else {}
        message = self._quote(f"{status}: {body.get('message') or error.message}")
        if status == 402 or _NO_QUOTA & {body.get("code"), body.get("type")}:
            return Fatal(
                f"{self.url} has no quota left for this key ({message})",
                "Add credit to the account or raise its limit, then run it again.",
            )
        if status in (408, 409, 425, 429) or status >= 500:
            return TryAgain(message, _retry_after(error.response.headers))
        if status in (400, 413, 422) and self.adapt(message):
            return TryAgain(message, 0.0)
        if status in (400, 413, 422) and body.get("param") not in self.setting_parameters:
            return Rejected(f"{self.url} refuses it ({message})")
        return Fatal(
            f"{self.url} gives no {self.product} with model {self.model!r} ({message})",
            f"Check OPENBOOK_{self.setting}_KEY (or OPENAI_API_KEY)."
            if status in (401, 403)
            else self.remedy,
        )

    def _quote(self, message: str) -> str:
        """An endpoint's message, short and without the key."""
        return " ".join(message.replace(self._key, "[key]").split())[:300]


class ChatEndpoint(Endpoint):
    """The endpoint of a chat model that gives whole answers."""

    def __init__(self, url: str | None, key: str | None, model: str, patience: Patience) -> None:
        """As Endpoint."""
        super().__init__(url, key, model, patience)
        self._limit = "max_tokens"

    def adapt(self, message: str) -> bool:
        """Newer models want the answer's length named otherwise, and say so."""
        if "max_completion_tokens" not in message or "max_tokens" not in message:
            return False
        self._limit = "max_completion_tokens"
        return True

    def complete(
        self, system: str, prompt: str, tokens: int, stop: Event
    ) -> tuple[str, dict[str, Any]]:
        """The model's words, of at most so many tokens, and the usage that its endpoint tells.

        Raises as `ask`.
        """

        def send() -> tuple[str, dict[str, Any]]:
            limit: dict[str, Any] = {self._limit: tokens}
            answer = self._client.chat.completions.with_raw_response.create(
                model=self.model,
                messages=[
                    {"role": "system", "content": system},
                    {"role": "user", "content": prompt},
                ],
                **limit,
            )
            try:
                body = json.loads(answer.http_response.content)
                said = str(body["choices"][0]["message"]["content"] or "")
                return said, dict(body.get("usage") or {})
            except (ValueError, TypeError, KeyError, IndexError, AttributeError):
                raise TryAgain("its answer is not a chat completion") from None

        return self.ask(send, stop)


def _usable_key(setting: str, url: str | None, key: str | None) -> str:
    """The key to send; an endpoint of one's own may need none."""
    key = (key or "").strip()
    if not key and url is None:
        raise Fatal(
            "There is no key for OpenAI",
            f"Set OPENBOOK_{setting}_KEY or OPENAI_API_KEY, or set OPENBOOK_{setting}_URL to an "
            "endpoint that needs none.",
        )
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise Fatal(
            f"OPENBOOK_{setting}_KEY holds characters that no key has", "Copy the key once more."
        )
    return key or "none"


def _retry_after(headers: Any) -> float | None:
    """The seconds of `retry-after-ms`, or of `retry-after` as a number or a date."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            return max(0.0, float(value) / unit)
        except ValueError:
            pass
        try:
            return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
        except ValueError:
            continue
    return None
