"""One request to an OpenAI-compatible embedding endpoint, whose answer is believed only when it is
whole.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.endpoint import Endpoint, Patience, TryAgain
from tasks.errors import Fatal


@dataclass(frozen=True, slots=True)
class Reply:
    """Vectors as they came, float32 [texts, dimensions]; `tokens` is None where it says none."""

    vectors: NDArray[np.float32]
    tokens: int | None


class EmbeddingEndpoint(Endpoint):
    """The embedding endpoint of one model."""

    setting = "EMBEDDING"
    product = "embeddings"
    remedy = (
        "Check OPENBOOK_EMBEDDING_URL, OPENBOOK_EMBEDDING_MODEL and OPENBOOK_EMBEDDING_DIMENSIONS."
    )
    setting_parameters = frozenset({"model", "dimensions"})

    def __init__(
        self,
        url: str | None,
        key: str | None,
        model: str,
        dimensions: int | None,
        patience: Patience,
    ) -> None:
        super().__init__(url, key, model, patience)
        self._parameters: dict[str, Any] = {"encoding_format": "base64"}
        if dimensions is not None:
            self._parameters["dimensions"] = dimensions

    def embed(self, texts: list[str], stop: Event) -> Reply:
        """Send the texts in one request; raises as `ask` does."""

        def send() -> Reply:
            answer = self._client.embeddings.with_raw_response.create(
                input=texts, model=self.model, **self._parameters
            )
            return self._read(answer.http_response.content, len(texts))

        return self.ask(send, stop)

    def adapt(self, message: str) -> bool:
        """Some endpoints know vectors as lists of numbers alone."""
        if "encoding_format" not in message or self._parameters["encoding_format"] == "float":
            return False
        self._parameters = {**self._parameters, "encoding_format": "float"}
        return True

    def _read(self, content: bytes, texts: int) -> Reply:
        """Read an answer: one vector for each text, placed by its index."""
        try:
            answer = json.loads(content)
            rows = {item["index"]: _vector(item["embedding"]) for item in answer["data"]}
            complete = len(answer["data"]) == texts and sorted(rows) == list(range(texts))
            usage = answer.get("usage") or {}
            tokens = int(usage.get("prompt_tokens") or usage.get("total_tokens") or 0)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise TryAgain("its answer is not a list of embeddings") from None
        if not complete:
            raise TryAgain("its answer does not have one embedding for each text")
        self._check_model(answer.get("model"))
        sizes = {row.size for row in rows.values()}
        if len(sizes) != 1:
            raise TryAgain(f"its answer mixes vectors of {sorted(sizes)} dimensions")
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


def _vector(value: str | list[float]) -> NDArray[np.float32]:
    if isinstance(value, str):
        try:
            return np.frombuffer(base64.b64decode(value, validate=True), "<f4")
        except binascii.Error as error:
            raise ValueError from error
    if not isinstance(value, list):
        raise TypeError
    return np.array(value, np.float32)
