"""What of an examination stands in the examples that a model was trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from psycopg import Connection

from tasks.datasets.decontaminate import golden_overlap
from tasks.datasets.words import Words, words

_NGRAM = 13


def trained_on(connection: Connection, version_id: int, texts: Sequence[str]) -> list[str]:
    """The texts that share 13 words in a row with a training example of the version.

    A shorter text is looked for as a whole, one of fewer than 5 words as a whole message; case and
    punctuation do not count.
    """
    rows = connection.execute(
        "select x.words from openbook.dataset_examples e"
        " join openbook.examples x on x.id = e.example_id"
        " where e.version_id = %s and e.split = 'train'",
        [version_id],
    ).fetchall()
    if not rows or not texts:
        return []
    examples = [np.frombuffer(row[0], "<u4") for row in rows]
    starts = np.concatenate(([0], np.cumsum([len(one) for one in examples])[:-1]))
    flat: Words = np.concatenate(examples)
    found: set[int] = set()
    while remaining := [place for place in range(len(texts)) if place not in found]:
        asked = [words([texts[place]]) for place in remaining]
        hits = np.unique(golden_overlap(flat, starts, asked, _NGRAM))
        if not (hits >= 0).any():
            break
        found.update(remaining[hit] for hit in hits if hit >= 0)  # one an example: look again
    return [texts[place] for place in sorted(found)]
