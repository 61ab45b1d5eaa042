"""A cross-encoder of one's own: a folder with model.onnx and tokenizer.json, run by onnxruntime."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

from tasks.errors import Fatal

_BATCH = 8
_LONGEST = 512


class CrossEncoder:
    """Reads query and text as one pair; its first output is a number a pair, or [no, yes]."""

    share = 1.0

    def __init__(self, folder: Path) -> None:
        import onnxruntime

        self.name = folder.name
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(
                folder / "model.onnx", providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # neither library's errors have a class of their own
            raise Fatal(
                f"{folder} holds no cross-encoder: {error}",
                "Set OPENBOOK_RERANKER to a folder with model.onnx and tokenizer.json.",
            ) from error
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._tokenizer.enable_truncation(_longest(folder), strategy="only_second")
        self._tokenizer.enable_padding()

    def scores(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        """A score for each text, float64 [texts], on the model's own scale. Raises Fatal."""
        try:
            batches = [
                self._batch(query, texts[start : start + _BATCH])
                for start in range(0, len(texts), _BATCH)
            ]
        except Exception as error:
            raise Fatal(
                f"the cross-encoder {self.name} failed: {error}",
                "Export it with the inputs input_ids, attention_mask and, if it has them, "
                "token_type_ids.",
            ) from error
        return np.concatenate(batches)

    def _batch(self, query: str, texts: Sequence[str]) -> NDArray[np.float64]:
        pairs = self._tokenizer.encode_batch([(query, text) for text in texts])
        arrays = {
            "input_ids": [pair.ids for pair in pairs],
            "attention_mask": [pair.attention_mask for pair in pairs],
            "token_type_ids": [pair.type_ids for pair in pairs],
        }
        given = {
            name: np.array(rows, np.int64) for name, rows in arrays.items() if name in self._inputs
        }
        output = np.asarray(self._session.run(None, given)[0], np.float64)
        return output.reshape(len(texts), -1)[:, -1]


def _longest(folder: Path) -> int:
    """The longest pair that the model reads, in tokens, special tokens included."""
    try:
        told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return int(told["max_position_embeddings"])
    except (OSError, ValueError, KeyError, TypeError):
        return _LONGEST
