"""How much of an answer its citations support, by words alone."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.evaluate.answers.text import sentences, without_citations, words

_LEAST_SHARE = 0.6


def grounded(answer: str, passages: Sequence[str]) -> float:
    """The share of the answer's sentences that the passages support, 0 to 1; of no sentences, 1.

    A sentence is supported where one passage holds 60 % of its different words (the word precision
    of Adlakha et al., TACL 2024, arXiv 2307.16877, taken sentence by sentence) and every number in
    it. Words cannot tell a denial from a claim: what is supported need not be true.
    """
    held = [set(words(passage)) for passage in passages]
    said = [set(words(sentence)) for sentence in sentences(without_citations(answer))]
    if not said:
        return 1.0
    return sum(any(_supports(passage, one) for passage in held) for one in said) / len(said)


def _supports(passage: set[str], sentence: set[str]) -> bool:
    shared = sentence & passage
    numbers = {word for word in sentence if word[0].isdecimal()}
    return numbers <= passage and len(shared) >= _LEAST_SHARE * len(sentence)
