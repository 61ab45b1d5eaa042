"""An answer's words and sentences, as the measures compare them."""

from __future__ import annotations

import re
import unicodedata

_CITATION = re.compile(r"[ \t]*\[\d+(?:\s*[,;\u2013-]\s*\d+)*\]")
_WITHIN = re.compile(r"['\u2019](?=\w)|(?<=\d),(?=\d{3}(?!\d))")
"""Apostrophes, and the commas of thousands."""
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"  # written without spaces: one each
    r"|\d+(?:[.,]\d+)*|[^\W\d_\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+(?:\d+)?|\d"
)
_SENTENCE_END = re.compile(
    r"(?<=[.!?\u2026])[\"'\u201d\u2019)\]]*\s+|(?<=[\u3002\uff01\uff1f])|\n+"
)


def without_citations(text: str) -> str:
    """The text without its citations, `[2]` or `[1, 3]`."""
    return _CITATION.sub("", text).strip()


def folded(text: str) -> str:
    """Case, white space, and different ways to write one character made alike (NFKC)."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """The words, in lower case, without punctuation and English articles, in their order.

    The normalisation of SQuAD's evaluation (Rajpurkar et al., EMNLP 2016), with characters of
    scripts that are written without spaces as words of their own (MLQA, Lewis et al., ACL 2020).
    A number keeps its decimal point and loses the commas of its thousands.
    """
    return _WORD.findall(_ARTICLE.sub(" ", _WITHIN.sub("", folded(text))))


def sentences(text: str) -> list[str]:
    """The sentences and list entries that hold a word."""
    parts = (part.strip() for part in _SENTENCE_END.split(text))
    return [part for part in parts if words(part)]
