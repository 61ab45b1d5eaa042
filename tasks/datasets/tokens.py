"""Tokens as the model to be trained counts them, or an estimate that says so."""

from __future__ import annotations

import gzip
import re
from binascii import a2b_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import tiktoken

from tasks.embedders.cl100k import Cl100kTokenizer

_O200K = re.compile(r"(?:ft:)?(?:gpt-(?:4o|4\.1|4\.5|5|oss)|chatgpt-4o|o[134])")
_CL100K = re.compile(r"(?:ft:)?(?:gpt-4|gpt-3\.5)(?!o|\.)")
_SUFFIX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_PATTERN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+{_SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*{_SUFFIX}"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_TOKENS_A_MESSAGE = 4
"""What chat formats add around a message: its role and its delimiters."""


@dataclass(frozen=True)
class TokenCounter:
    """Counts tokens; `exact` unless another model's vocabulary stands in for the right one."""

    name: str
    exact: bool
    count: Callable[[str], int]

    def count_messages(self, texts: Sequence[str]) -> int:
        """Tokens of a conversation, one text a message, with the chat format around each."""
        return sum(self.count(text) + _TOKENS_A_MESSAGE for text in texts)


@cache
def counter(model: str) -> TokenCounter:
    """The counter for a model's name or for the folder of a local model.

    OpenAI's newer models need the vocabulary of the extra `datasets`; without it, and for models
    that are not known here, OpenAI's older vocabulary gives an estimate.
    """
    folder = Path(model)
    if (folder / "tokenizer.json").is_file():
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        return TokenCounter(
            folder.name, True, lambda text: len(tokenizer.encode(text, add_special_tokens=False))
        )
    if _O200K.match(model) and find_spec("bpe_openai"):
        return TokenCounter("o200k_base", True, lambda text: len(_o200k().encode_ordinary(text)))
    return TokenCounter("cl100k_base", bool(_CL100K.match(model)), Cl100kTokenizer().count)


@cache
def _o200k() -> tiktoken.Encoding:
    """The vocabulary that the package bpe-openai carries; nothing is downloaded."""
    package = find_spec("bpe_openai")
    assert package is not None
    assert package.origin is not None
    packed = Path(package.origin).parent / "data" / "o200k_base.tiktoken.gz"
    pairs = (line.split() for line in gzip.decompress(packed.read_bytes()).splitlines())
    ranks = {a2b_base64(token): int(rank) for token, rank in pairs}
    return tiktoken.Encoding(
        "o200k_base", pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={}
    )
