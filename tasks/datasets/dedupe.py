"""Near-duplicates: MinHash signatures, banded (Broder 1997; Leskovec, Rajaraman, Ullman, ch. 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tasks.datasets.words import Words, grams

PERMUTATIONS = 128
_SHINGLE = 3
_ROWS = 4
_LEAST_SIMILARITY = 0.5
"""Below it the 32 bands of four rows find less than seven pairs of eight."""

_random = np.random.default_rng(20_261_121)
_FACTORS = _random.integers(1, 1 << 32, PERMUTATIONS, np.uint64).astype(np.uint32) | np.uint32(1)
_SHIFTS = _random.integers(0, 1 << 32, PERMUTATIONS, np.uint64).astype(np.uint32)

Signatures = NDArray[np.uint16]


def signatures(texts: Sequence[Words]) -> Signatures:
    """MinHash signatures of the texts' 3-word shingles; uint16 [len(texts), PERMUTATIONS].

    Message ends are no boundary here. A text of fewer words is one shingle. Sixteen bits of each
    minimum are kept (Li and König, b-bit minwise hashing, WWW 2010).
    """
    plain = [text[text != 0] for text in texts]
    lengths = np.array([max(len(text), _SHINGLE) for text in plain], np.int64)
    flat = np.zeros(int(lengths.sum()), np.uint32)
    starts = np.concatenate(([0], np.cumsum(lengths)[:-1])) if len(lengths) else lengths
    for start, text in zip(starts.tolist(), plain, strict=True):
        flat[start : start + len(text)] = text
    # Padding is 1, so that no shingle ends early; the last two places of a text cross into the
    # next, and take the text's last whole shingle instead.
    flat[flat == 0] = 1
    hashed = (grams(flat, _SHINGLE) >> np.uint64(32)).astype(np.uint32)
    last = starts + lengths - _SHINGLE
    for beyond in (1, 2):
        hashed[last + beyond] = hashed[last]
    result = np.empty((len(texts), PERMUTATIONS), np.uint16)
    for place in range(PERMUTATIONS):
        permuted = hashed * _FACTORS[place] + _SHIFTS[place]
        permuted ^= permuted >> np.uint32(15)
        permuted *= np.uint32(0x2C1B3C6D)
        if len(texts):
            minimum = np.minimum.reduceat(permuted, starts)
            result[:, place] = (minimum ^ (minimum >> np.uint32(16))).astype(np.uint16)
    return result


def clusters(signed: Signatures, similarity: float) -> NDArray[np.int64]:
    """The near-duplicate cluster of each row, named by its first member's place; int64 [rows].

    Rows that share a band are compared with the row before them and the first one in that band; at
    an estimated Jaccard similarity of `similarity` or more they are of one cluster.
    """
    rows = len(signed)
    label = np.arange(rows)
    if rows < 2 or similarity <= 0:
        return label
    similarity = max(similarity, _LEAST_SIMILARITY)
    places = np.uint64((1 << rows.bit_length()) - 1)
    pairs = []
    for band in range(PERMUTATIONS // _ROWS):
        part = np.ascontiguousarray(signed[:, band * _ROWS : (band + 1) * _ROWS]).astype(np.uint64)
        key = part[:, 0]
        for column in range(1, _ROWS):
            key = key * np.uint64(0x9E3779B97F4A7C15) + part[:, column]
        # The key's lower bits give way to the row, so that sorting numbers sorts the rows.
        key *= np.uint64(0xBF58476D1CE4E5B9)
        ordered = np.sort((key & ~places) | label.astype(np.uint64))
        order = (ordered & places).astype(np.int64)
        same = ((ordered[1:] ^ ordered[:-1]) & ~places) == 0
        begins = np.concatenate(([True], ~same))
        first = order[np.maximum.accumulate(np.where(begins, label, 0))]
        pairs += [
            order[:-1][same] * rows + order[1:][same],
            first[1:][same] * rows + order[1:][same],
        ]
    candidates = np.stack(np.divmod(np.unique(np.concatenate(pairs)), rows), 1)
    edges = candidates[_similar(signed, candidates, similarity)]
    return _components(label, edges)


def _similar(
    signed: Signatures, candidates: NDArray[np.int64], similarity: float
) -> NDArray[np.bool_]:
    verdicts = np.zeros(len(candidates), np.bool_)
    for start in range(0, len(candidates), 100_000):
        one, other = candidates[start : start + 100_000].T
        agree = (signed[one] == signed[other]).mean(axis=1)
        verdicts[start : start + 100_000] = agree >= similarity
    return verdicts


def _components(label: NDArray[np.int64], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """The least label that each row is connected to."""
    while len(edges):
        least = np.minimum(label[edges[:, 0]], label[edges[:, 1]])
        before = label.copy()
        for side in (0, 1):
            np.minimum.at(label, label[edges[:, side]], least)
        for side in (0, 1):
            np.minimum.at(label, edges[:, side], least)
        label = label[label]
        if np.array_equal(before, label):
            break
    return label
