"""A text's words as numbers: what near-duplicates, overlap and language are told by.

An array holds a 32-bit hash a word, and 0 where one message ends, so that no n-gram crosses it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
Hashes = NDArray[np.uint64]

_CJK = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]|[^\W{_CJK}]+")
_CACHED = 1_000_000
_BLOCK = 32_768
"""So many hashes lie in a core's own cache while they are made."""
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)

_FUNCTION_WORDS = {
    "en": "the and you that for are with this have what is of to your was can how my please not",
    "de": "der die das und ich nicht ist sie mit ein eine auf für wie bitte kann wir den dem zu",
    "fr": "le les des et est vous je une pas que pour dans sur avec mon votre qui du au merci",
    "es": "el los las y es una por con para que mi su no del como pero está gracias puedo se",
    "it": "il gli che è una per con non sono mi di della come grazie ho questo del posso si lo",
    "pt": "o os uma não que para com por meu minha você do da em obrigado é mas isso como ao",
    "nl": "de het een en ik niet is van je dat met voor op zijn kan mijn wat hoe te bedankt",
    "pl": "i nie jest się na w z do to jak proszę czy dziękuję mam moje od dla tym po za",
    "sv": "och jag det att är en som inte på för med till kan mitt min hur tack har vad av",
    "ja": "の に は を た が で と し れ さ い る か ま す",
    "zh": "的 是 我 你 不 了 在 有 请 吗 这 一 什 么",
    "ru": "и в не на я что с как это для мой вы по у спасибо за из мне есть но",  # noqa: RUF001
}


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        value = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=4).digest(), "big") or 1
        if len(self) >= _CACHED:
            self.clear()
        self[word] = value
        return value


_hashes = _WordHashes()


def words(texts: Sequence[str]) -> Words:
    """The texts' words, lower-cased; uint32 [words + texts], 0 behind each text."""
    numbers: list[int] = []
    for text in texts:
        numbers += map(_hashes.__getitem__, _WORD.findall(text.lower()))
        numbers.append(0)
    return np.array(numbers, np.uint32)


def grams(flat: Words, n: int) -> Hashes:
    """A hash of the n words from each place on; uint64 [len(flat)], 0 where a text ends before.

    A polynomial in the words' hashes (Karp and Rabin 1987), mixed.
    """
    hashed = np.zeros(len(flat), np.uint64)
    places = len(flat) - n + 1
    if places < 1:
        return hashed
    within = hashed[:places]
    for start in range(0, places, _BLOCK):
        part = within[start : start + _BLOCK]
        for offset in range(start, start + n):
            part *= _FACTOR
            part += flat[offset : offset + len(part)]
        part ^= part >> np.uint64(29)
        part *= _MIX
        part |= np.uint64(1)
    ends = np.zeros(len(flat) + 1, np.int32)
    np.cumsum(flat == 0, out=ends[1:])
    within[ends[n:] != ends[:places]] = 0
    return hashed


def languages(texts: Sequence[Words]) -> list[str | None]:
    """The language whose function words are most of each text; None where too few tell.

    A vote of the commonest words of twelve languages: enough to keep a dataset to its languages,
    not to tell Norwegian from Danish.
    """
    known, owners, names = _function_words()
    flat = np.concatenate([*texts, np.zeros(1, np.uint32)])
    of_text = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    places = np.searchsorted(known, flat[:-1])
    places[places == len(known)] = 0
    hits = np.flatnonzero(known[places] == flat[:-1])
    votes = np.zeros((len(texts), len(names)), np.int64)
    np.add.at(votes, of_text[hits], owners[places[hits]])
    best = votes.argmax(axis=1)
    most, second = np.sort(votes, axis=1)[:, :-3:-1].T
    return [
        names[name] if told else None
        for name, told in zip(best.tolist(), ((most >= 2) & (most > second)).tolist(), strict=True)
    ]


@cache
def _function_words() -> tuple[Words, NDArray[np.int64], list[str]]:
    """The sorted hashes of all function words, which languages each belongs to, and their codes."""
    names = list(_FUNCTION_WORDS)
    table: dict[int, list[int]] = {}
    for place, name in enumerate(names):
        for word in _FUNCTION_WORDS[name].split():
            table.setdefault(_hashes[word], [0] * len(names))[place] = 1
    known = np.array(sorted(table), np.uint32)
    return known, np.array([table[int(one)] for one in known]), names
