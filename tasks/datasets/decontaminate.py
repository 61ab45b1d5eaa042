"""Overlap with what measures the model: golden questions and the test split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.datasets.words import Hashes, Words, grams

LEAST_WORDS = 5
"""A golden text of fewer words is found only where a message is that text and nothing else."""


def golden_overlap(
    flat: Words, starts: NDArray[np.int64], golden: Sequence[Words], ngram: int
) -> NDArray[np.int64]:
    """Which golden text each example shares an n-gram of words with, -1 for none; int64 [examples].

    `flat` holds the examples' words one behind the other, `starts` where each begins. A golden text
    of fewer than `ngram` words is looked for as a whole (Brown et al. 2020, appendix C, with 13).
    """
    found = np.full(len(starts), -1, np.int64)
    for length in sorted({min(ngram, _size(text)) for text in golden if _size(text)}):
        keys, owners = _keys(golden, length, ngram)
        hashed = _whole_messages(flat, length) if length < LEAST_WORDS else grams(flat, length)
        places = np.searchsorted(keys, hashed)
        places[places == len(keys)] = 0
        hits = np.flatnonzero(keys[places] == hashed)
        examples = np.searchsorted(starts, hits, side="right") - 1
        found[examples] = np.maximum(found[examples], owners[places[hits]])
    return found


def _size(text: Words) -> int:
    return int((text != 0).sum())


def _keys(golden: Sequence[Words], length: int, ngram: int) -> tuple[Hashes, NDArray[np.int64]]:
    """The sorted n-grams of the golden texts that are searched with this length, and whose."""
    keys, owners = [], []
    for place, text in enumerate(golden):
        if min(ngram, _size(text)) == length:
            hashed = grams(text, length)
            keys.append(hashed[hashed != 0])
            owners.append(np.full(len(keys[-1]), place, np.int64))
    joined = np.concatenate(keys)
    order = np.argsort(joined, kind="stable")
    return joined[order], np.concatenate(owners)[order]


def _whole_messages(flat: Words, length: int) -> Hashes:
    """The n-grams that are a message's only words."""
    hashed = grams(flat, length)
    begins = np.concatenate(([True], flat[:-1] == 0)) if len(flat) else np.zeros(0, np.bool_)
    ends = np.zeros(len(flat), np.bool_)
    if len(flat) > length:
        ends[:-length] = flat[length:] == 0
    return np.where(begins & ends, hashed, 0).astype(np.uint64)


def held_out_share(
    flat: Words, starts: NDArray[np.int64], held_out: NDArray[np.bool_], ngram: int
) -> NDArray[np.float64]:
    """The share of each example's n-grams that some held-out example has too; float64 [examples].

    0 for the held-out ones, and for examples too short for an n-gram.
    """
    hashed = grams(flat, ngram)
    sizes = np.diff(np.append(starts, len(flat)))
    owner = np.repeat(np.arange(len(starts), dtype=np.int32), sizes)
    real = hashed != 0
    theirs = np.unique(hashed[real & held_out[owner]])
    mine = real & ~held_out[owner]
    totals = np.bincount(owner[mine], minlength=len(starts))
    if not len(theirs):
        return np.zeros(len(starts))
    places = np.searchsorted(theirs, hashed[mine])
    places[places == len(theirs)] = 0
    hits = theirs[places] == hashed[mine]
    shared = np.bincount(owner[mine][hits], minlength=len(starts))
    return shared / np.maximum(totals, 1)
