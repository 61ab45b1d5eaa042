"""The tokenizer of a GGUF file, built from the file's own metadata.

What transformers makes of such a file does not survive being saved and loaded: it comes back as
another tokenizer, with another token that ends a text.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tasks.errors import Rejected

_CONTROL, _USER_DEFINED = 3, 4
"""Token types of the GGUF format."""

_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS = {"llama-bpe": _WORDS % "{1,3}", "qwen2": _WORDS % ""}
"""How models cut text into words before merging, by llama.cpp's names for it."""


def read_tokenizer(file: Path) -> Any:
    """The tokenizer of a GGUF file, as a `PreTrainedTokenizerFast`.

    Raises Rejected for a vocabulary that is not byte-level BPE of a known kind.
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(file).fields

    def read(key: str) -> Any:
        return fields[key].contents() if key in fields else None

    kind, pre = read("tokenizer.ggml.model"), read("tokenizer.ggml.pre")
    if kind != "gpt2" or pre not in (*_SPLITS, "smollm", "gpt-2"):
        raise Rejected(
            f"{file} has a tokenizer ({kind}, {pre}) that is not read from GGUF",
            "Give the folder of the transformers model that the file was made from.",
        )
    tokens, types = read("tokenizer.ggml.tokens"), read("tokenizer.ggml.token_type")
    merges = [tuple(one.split(" ")) for one in read("tokenizer.ggml.merges")]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    backend.pre_tokenizer = _pre_tokenizer(pre)
    backend.decoder = decoders.ByteLevel()
    for token, token_type in zip(tokens, types, strict=True):
        if token_type in (_CONTROL, _USER_DEFINED):
            backend.add_tokens(
                [AddedToken(token, special=token_type == _CONTROL, normalized=False)]
            )
    special = {
        f"{name}_token": tokens[number]
        for name, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
        if (number := read(f"tokenizer.ggml.{key}_token_id")) is not None
    }
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, chat_template=read("tokenizer.chat_template"), **special
    )


def _pre_tokenizer(pre: str) -> Any:
    from tokenizers import Regex, pre_tokenizers

    if pre in _SPLITS:
        return pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(_SPLITS[pre]), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
    words = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if pre == "gpt-2":
        return words
    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), words])
