"""unstructured's partitioners without what makes them slow, talkative or dependent on downloads.

Stock unstructured reports its use over the network, and tells titles from prose by a spaCy model
that it downloads at first use. Here the reports are off and regular expressions stand in for the
model: the same texts in the same order, about forty times faster.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

_WORDS = re.compile(r"\w+|[^\w\s]")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_SENTENCE_WORDS = 5
"""What has as many words is taken to hold a verb."""


def partitioner(kind: str) -> Callable[..., list[Any]]:
    """The function `unstructured.partition.<kind>.partition_<kind>`, to be called with a file."""
    _silence()
    module = import_module(f"unstructured.partition.{kind}")
    function: Callable[..., list[Any]] = getattr(module, f"partition_{kind}")
    return function


def _silence() -> None:
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    _stand_in(
        "unstructured.nlp.tokenize",
        word_tokenize=_WORDS.findall,
        sent_tokenize=_SENTENCE_END.split,
        pos_tag=_tag_by_length,
    )
    # 100 MB of words that only its English-language checks read, which are off
    _stand_in("unstructured.nlp.english_words", ENGLISH_WORDS=frozenset())


def _stand_in(name: str, **contents: object) -> None:
    if name not in sys.modules:
        module = ModuleType(name, "Stands in for the module of the same name.")
        vars(module).update(contents)
        sys.modules[name] = module


def _tag_by_length(text: str) -> list[tuple[str, str]]:
    """Parts of speech, as far as they are asked for: one verb in a text as long as a sentence."""
    return [("", "VB")] if len(text.split()) >= _SENTENCE_WORDS else []
