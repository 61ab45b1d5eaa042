"""One request to an OpenAI-compatible embedding endpoint: sent, sent again where that can help,
and its answer believed only when it is whole.
"""

from __future__ import annotations

import base64
import binascii
import json
import random
import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any

import numpy as np
import openai
from numpy.typing import NDArray

from tasks.errors import Fatal, Rejected, Retryable

OPENAI_URL = "https://api.openai.com/v1"
_NO_QUOTA = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_SETTING_PARAMETERS = {"model", "dimensions"}


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


@dataclass(frozen=True, slots=True)
class Reply:
    """Vectors as they came, float32 [texts, dimensions]; `tokens` is None where it says none."""

    vectors: NDArray[np.float32]
    tokens: int | None


class _TryAgain(Exception):
    """The same request may succeed; `wait` is what the endpoint asked for, in seconds."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(f"{message} (asks to wait {wait:.0f} s)" if wait else message)
        self.wait = wait


class Endpoint:
    """The embedding endpoint of one model. May be used by several threads at once."""

    def __init__(
        self, url: str, key: str, model: str, dimensions: int | None, patience: Patience
    ) -> None:
        self.url = url
        self.model = model
        self._key = key
        self._patience = patience
        self._parameters: dict[str, Any] = {"encoding_format": "base64"}
        if dimensions is not None:
            self._parameters["dimensions"] = dimensions
        self._client = openai.OpenAI(
            api_key=key,
            base_url=url,
            max_retries=0,
            timeout=openai.Timeout(patience.answer_within, connect=10.0),
        )

    def embed(self, texts: list[str], stop: Event) -> Reply:
        """Send the texts in one request until it is answered; `stop` ends the waiting.

        Raises Rejected when the endpoint refuses these texts, Retryable when it stays unavailable,
        Fatal when no request can succeed.
        """
        tries = 0
        while True:
            try:
                return self._try(texts)
            except _TryAgain as failure:
                tries += 1
                wait = self._patience.wait(tries, failure.wait)
                if wait is None or stop.wait(wait):
                    raise Retryable(
                        f"{self.url} gave no embeddings after {tries} tries: {failure}",
                        "See whether it is up, and run it again later.",
                    ) from None

    def _try(self, texts: list[str]) -> Reply:
        # `from None` below: the causes hold the request's headers, and with them the key.
        try:
            answer = self._client.embeddings.with_raw_response.create(
                input=texts, model=self.model, **self._parameters
            )
            content = answer.http_response.content
        except openai.APIStatusError as error:
            raise self._reason(error) from None
        except openai.APIConnectionError as error:
            cause = error.__cause__ or error
            raise _TryAgain(self._quote(f"{type(cause).__name__}: {cause}")) from None
        return self._read(content, len(texts))

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
            return _TryAgain(message, _retry_after(error.response.headers))
        if status in (400, 413, 422) and body.get("param") not in _SETTING_PARAMETERS:
            if "encoding_format" in message and self._parameters["encoding_format"] == "base64":
                self._parameters = {**self._parameters, "encoding_format": "float"}
                return _TryAgain(message, 0.0)
            return Rejected(f"{self.url} refuses it ({message})")
        return Fatal(
            f"{self.url} does not embed with model {self.model!r} ({message})",
            "Check OPENBOOK_EMBEDDING_KEY (or OPENAI_API_KEY)."
            if status in (401, 403)
            else "Check OPENBOOK_EMBEDDING_URL, OPENBOOK_EMBEDDING_MODEL and "
            "OPENBOOK_EMBEDDING_DIMENSIONS.",
        )

    def _read(self, content: bytes, texts: int) -> Reply:
        """Read an answer: one vector for each text, placed by its index."""
        try:
            answer = json.loads(content)
            rows = {item["index"]: _vector(item["embedding"]) for item in answer["data"]}
            complete = len(answer["data"]) == texts and sorted(rows) == list(range(texts))
            usage = answer.get("usage") or {}
            tokens = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise _TryAgain("its answer is not a list of embeddings") from None
        if not complete:
            raise _TryAgain("its answer does not have one embedding for each text")
        self._check_model(answer.get("model"))
        sizes = {row.size for row in rows.values()}
        if len(sizes) != 1:
            raise _TryAgain(f"its answer mixes vectors of {sorted(sizes)} dimensions")
        return Reply(np.stack([rows[index] for index in range(texts)]), tokens or None)

    def _check_model(self, answered: object) -> None:
        """Endpoints may name a dated variant, or leave an organisation out; not another model."""
        if not isinstance(answered, str) or not answered:
            return
        asked, given = (name.lower().rpartition("/")[2] for name in (self.model, answered))
        if not re.fullmatch(re.escape(asked) + r"([-:@](v?\d[\d.-]*|latest))?", given):
            raise Fatal(
                f"{self.url} was asked for model {self.model!r} and answers with {answered!r}",
                "Set OPENBOOK_EMBEDDING_MODEL to the model that the endpoint serves.",
            )

    def _quote(self, message: str) -> str:
        """An endpoint's message, short and without the key."""
        return " ".join(message.replace(self._key, "[key]").split())[:300]


def _vector(value: str | list[float]) -> NDArray[np.float32]:
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        except binascii.Error as error:
            raise ValueError from error
    if not isinstance(value, list):
        raise TypeError
    return np.array(value, np.float32)


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
