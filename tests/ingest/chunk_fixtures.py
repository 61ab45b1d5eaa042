"""Documents made of a few words."""

from __future__ import annotations

import random
import re

from tasks.records import Document, Element

_VOCABULARY = re.findall(
    r"\w+",
    """pump seal boiler valve motor oil water pressure bolt shaft bearing gauge pipe flange rotor
    stator filter drain panel cable sensor signal alarm check clean replace measure note write
    order price part number year month day shift hall gate door floor crane truck load weight""",
)


def prose(seed: int, tokens: int) -> str:
    """Sentences of 6 to 12 words drawn by `seed`; `tokens` words and full stops in all."""
    draw = random.Random(seed)
    sentences = []
    while tokens > 0:
        length = min(tokens, draw.randint(7, 13))
        words = draw.choices(_VOCABULARY, k=max(1, length - 1))
        sentences.append(" ".join(words).capitalize() + ".")
        tokens -= length
    return " ".join(sentences)


def heading(text: str, depth: int) -> Element:
    return Element(text, "Title", depth=depth)


def code(text: str) -> Element:
    return Element(text, "CodeSnippet")


def rows(text: str) -> Element:
    return Element(text, "Table")


def document(*blocks: str | Element, title: str | None = None) -> Document:
    """A document of these elements; plain strings are paragraphs."""
    elements = (
        block if isinstance(block, Element) else Element(block, "NarrativeText") for block in blocks
    )
    return Document("txt", title, tuple(elements))
