"""An answer against the expected one, word by word: SQuAD's measures (Rajpurkar et al. 2016)."""

from __future__ import annotations

from collections import Counter

from tasks.evaluate.answers.text import words


def exact_match(answer: str, expected: str) -> float:
    """1 where both have the same words in the same order, else 0."""
    return float(words(answer) == words(expected))


def token_f1(answer: str, expected: str) -> float:
    """The harmonic mean of the shares of words that the two have in common, 0 to 1."""
    given, wanted = words(answer), words(expected)
    if not given or not wanted:
        return float(given == wanted)
    common = (Counter(given) & Counter(wanted)).total()
    return 2 * common / (len(given) + len(wanted))
