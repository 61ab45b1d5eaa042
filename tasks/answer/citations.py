"""Citations in an answer, verified while it is being said: what stays was shown and says so.

A model cites passages by number, as [1] or [2, 3]. A number that it was not shown is taken out and
counted. So is the citation of a quote that does not stand, word for word, in a passage it cites;
where it stands in another one that was shown, it gets that one's number, as does a quote without.
Models trained as the RAFT paper has it mark quotes otherwise: each becomes a quote with the number
of the passage that it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_CITATION = re.compile(r"[\[【]\s*(\d{1,20}(?:\s*[-\u2013,;]\s*\d{1,20})*)\s*[\]】]")
_BEGUN = re.compile(r"[\[【][\s\d,;\u2013-]{0,60}")
_QUOTE = re.compile(r"(?<!\d)\"([^\"]+)\"|“([^”“]+)”|„([^“„]+)“|«([^»«]+)»|»([^«»]+)«")
"""Quotes; behind a digit the mark stands for inches."""
_FENCE = re.compile(r"^ {0,3}```", re.MULTILINE)
_LEAST_QUOTED_WORDS = 4
"""Fewer words between quotation marks are a term or a name."""
_RAFT = {"##begin_quote##": "“", "##end_quote##": "”", "##Answer:": "\n"}
_OPENERS = re.compile(r"\s*(?:[\[【”]|##)")
_WORD = re.compile(r"\w+")
_RANGE = re.compile(r"(\d+)\s*[-\u2013]\s*(\d+)")


class Citations:
    """Takes an answer in pieces and gives it back with nothing but verified citations.

    `cited` are the numbers that stay, in the order of their first citation; `removed` counts those
    that did not.
    """

    def __init__(self, shown: Mapping[int, str]) -> None:
        """`shown` are the passages' texts by number."""
        self._shown = {number: _plain(text) for number, text in shown.items()}
        self._pending = ""
        self._said = ""
        self._since = 0
        self.cited: list[int] = []
        self.removed = 0

    @property
    def text(self) -> str:
        """What has been given back so far."""
        return self._said

    def feed(self, piece: str) -> str:
        """The next part of the answer that is final; a citation waits until it is whole."""
        self._pending += piece
        return self._advance(last=False)

    def finish(self) -> str:
        """The rest."""
        return self._advance(last=True)

    def _advance(self, last: bool) -> str:
        begun = len(self._said)
        while found := _OPENERS.search(self._pending):
            self._say(self._pending[: found.start()])
            self._pending = self._pending[found.start() :]
            space = found[0][: len(found[0]) - len(found[0].lstrip())]
            taken = self._take(space, last)
            if taken is None:
                return self._said[begun:]
            self._pending = self._pending[taken:]
        # White space waits: a citation that is taken out takes the space before it along.
        ready = self._pending if last else self._pending.rstrip().removesuffix("#")
        self._say(ready)
        self._pending = self._pending[len(ready) :]
        return self._said[begun:]

    def _take(self, space: str, last: bool) -> int | None:
        """Deal with what opens behind the space; its length, or None: more must be heard first."""
        rest = self._pending[len(space) :]
        if rest.startswith("##"):
            for mark, stands_for in _RAFT.items():
                if rest.startswith(mark):
                    self._say(space + stands_for)
                    if mark == "##end_quote##":
                        self._place_quote()
                    return len(space) + len(mark)
                if mark.startswith(rest) and not last:
                    return None
            self._say(space + "##")
            return len(space) + 2
        if rest.startswith("”"):
            return self._close_quote(space, rest, last)
        whole = _CITATION.match(rest)
        begun = None if whole or last else _BEGUN.match(rest)
        if begun is not None and begun.end() == len(rest):
            return None
        if whole is not None and not self._in_code():
            self._cite(space, _numbers(whole[1]))
        else:
            self._say(space + (whole[0] if whole else rest[0]))
        return len(space) + (whole.end() if whole else 1)

    def _close_quote(self, space: str, rest: str, last: bool) -> int | None:
        """Deal with the end of a quote, as `_take`; a citation that follows stands for itself."""
        behind = rest[1:].lstrip(" \n.,;:!?")
        if not behind and not last:
            return None
        self._say(f"{space}”")
        if not behind.startswith(("[", "【")):
            self._number_quote()
        return len(space) + 1

    def _cite(self, space: str, numbers: Sequence[int]) -> None:
        quotes = [
            _plain(quote)
            for groups in _QUOTE.findall(self._said[self._since :])
            for quote in groups
            if len(_WORD.findall(quote)) >= _LEAST_QUOTED_WORDS
        ]
        kept = [number for number in numbers if number in self._shown]
        if not all(any(quote in self._shown[number] for number in kept) for quote in quotes):
            standing = [self._source(quote) for quote in quotes]
            kept = [n for n in dict.fromkeys(standing) if n is not None and None not in standing]
        self.removed += sum(number not in kept for number in numbers)
        if kept:
            self._note(kept)
            self._say(space + "".join(f"[{number}]" for number in kept))
            self._since = len(self._said)

    def _place_quote(self) -> None:
        """Behind a quote that RAFT's marks enclose: the passage that it stands in."""
        quote = _plain(self._said.rpartition("“")[2].rstrip("”"))
        number = next((n for n, text in self._shown.items() if quote and quote in text), None)
        if number is None:
            self.removed += 1
        else:
            self._note([number])
            self._say(f" [{number}]")
        self._since = len(self._said)

    def _number_quote(self) -> None:
        """Behind a quote that names no passage: the one that it stands in, if it does."""
        quote = _plain(self._said.rpartition("“")[2].rstrip("”"))
        if "“" not in self._said or len(_WORD.findall(quote)) < _LEAST_QUOTED_WORDS:
            return
        number = self._source(quote)
        if number is not None:
            self._note([number])
            self._say(f" [{number}]")
            self._since = len(self._said)

    def _source(self, quote: str) -> int | None:
        """The passage that a plain quote stands in."""
        return next((n for n, text in self._shown.items() if quote in text), None)

    def _note(self, numbers: Iterable[int]) -> None:
        self.cited += [n for n in dict.fromkeys(numbers) if n not in self.cited]

    def _say(self, text: str) -> None:
        self._said += text

    def _in_code(self) -> bool:
        """Whether a fence is open, or a span in this line: a stray backtick ends with it."""
        line = self._said.rpartition("\n")[2]
        return len(_FENCE.findall(self._said)) % 2 == 1 or line.count("`") % 2 == 1


def _numbers(text: str) -> list[int]:
    """The numbers of `1, 3-5`; of a range at most 20."""
    spread = _RANGE.sub(
        lambda r: ",".join(map(str, range(int(r[1]), min(int(r[2]), int(r[1]) + 19) + 1))), text
    )
    return list(dict.fromkeys(int(number) for number in re.findall(r"\d+", spread)))


def _plain(text: str) -> str:
    """The text's words, so that a quote is found whatever its line breaks and punctuation."""
    return " " + " ".join(_WORD.findall(text.casefold())) + " "
