"""A model on loopback that reads: it says the shown sentence that fits the question best.

Its answers are as good as its passages, and the same each time.
"""

from __future__ import annotations

import re

from tests.endpoint import Body

_PASSAGE = re.compile(r"<passage-\w+ (\d+): .*?>\n(.*?)\n</passage", re.DOTALL)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n")


def read(body: Body) -> str:
    """The answer to a request for one, with its citation."""
    shown, _, asked = body["messages"][-1]["content"].rpartition("Question:")
    wanted = _words(asked)
    best, said = 0, "I do not know."
    for number, passage in _PASSAGE.findall(shown):
        for sentence in _SENTENCE_END.split(passage):
            shared = len(wanted & _words(sentence))
            if shared > best:
                best, said = shared, f"{sentence.strip()} [{number}]"
    return said


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w{3,}|\d+", text.lower()))
