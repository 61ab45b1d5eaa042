"""A document's text as small pieces, measured in tokens, and where a row of them is cut."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain
from typing import ClassVar
from zlib import crc32

from tasks.embedders import Tokenizer
from tasks.records import Element

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*+\s++(?![a-z])|[。！？][」』”’）]*+")  # noqa: RUF001
_CLAUSE_END = re.compile(r"[,;]\s++|[，、；]")  # noqa: RUF001
_WORD_END = re.compile(r"\s++")

_LONGEST_WORD = 1000
"""A longer run of characters is data, such as base64, and not shown to the tokenizer whole: some
take quadratic time."""
_CHARACTERS_A_TOKEN = 16
"""A word counts a token for each so many characters at least, which bounds a chunk's length:
WordPiece makes one unknown token of a run that it does not know, however long."""
_REMEMBERED_CHARACTERS = 1_000_000
"""Of all words together, some 15 MB; a language's common words come first."""
_PROBE = 'Words, "quoted" or (not):\n    snake_case = f(1.5)\n\nÜber naïve don\'t, 日本語 end.'


class Level(IntEnum):
    """What begins with a piece; the lower, the better it is to cut before it."""

    ELEMENT = 0
    LINE = 1
    SENTENCE = 2
    CLAUSE = 3
    WORD = 4
    CHARACTER = 5


@dataclass(slots=True)
class Piece:
    """The document's text from `start` to `end`, its white space normalised.

    `glue` is the white space that joins it to the piece before. `Measure.weigh` sets `tokens`.
    """

    text: str
    start: int
    end: int
    page: int | None
    level: Level = Level.ELEMENT
    glue: str = "\n"
    tokens: int = 0


def split(element: Element, offset: int) -> Iterator[Piece]:
    """An element's lines, running text cut into sentences; code keeps its indentation.

    `offset` is where the element begins in the document's text.
    """
    level = Level.ELEMENT
    for line in element.text.splitlines(keepends=True):
        whole = Piece(line.rstrip(), offset, offset + len(line.rstrip()), element.page, level)
        is_code = element.category == "CodeSnippet"
        for piece in (whole,) if is_code else _parts(line, whole, _SENTENCE_END, Level.SENTENCE):
            if piece.text:
                yield piece
                level = Level.LINE
        offset += len(line)


def cut(heads: Sequence[Piece], weights: Sequence[int], room: int) -> Iterator[slice]:
    """Cut a row of things into runs of at most `room` tokens, each but the last about half full.

    A thing begins with its piece of `heads` and has its number of `weights` tokens. A run ends
    before the best head that leaves it half full or more: by its level, then by a hash of its
    text. So rows that become equal are soon cut alike, wherever they begin, and what is appended
    changes the last run alone. This is content-defined chunking by the extreme value of a window
    (Bjorner, Blass and Gurevich, "Content-dependent chunking for differential compression, the
    local maximum approach", 2010), over pieces of text instead of bytes.
    """
    start, left = 0, sum(weights)
    ranks = _ranks(heads) if left > room else []
    while left > room and start < len(weights) - 1:
        end, filled = start, 0
        best: tuple[tuple[int, int], int, int] | None = None
        while end == start or filled + weights[end] <= room:
            filled += weights[end]
            end += 1
            if 2 * filled >= room and (best is None or ranks[end] <= best[0]):
                best = ranks[end], end, filled
        if best is not None:
            _, end, filled = best
        yield slice(start, end)
        start, left = end, left - filled
    yield slice(start, len(weights))


def _ranks(heads: Sequence[Piece]) -> list[tuple[int, int]]:
    """How bad it is to cut before each; what a colon announces belongs to the piece before."""
    ranks = []
    announced = False
    for head in heads:
        level = max(head.level, Level.SENTENCE) if announced else head.level
        ranks.append((int(level), crc32(head.text.encode(errors="replace"))))
        announced = head.text.endswith(":")
    return ranks


class Measure:
    """Counts tokens word by word, each distinct word once, whatever document it stands in.

    The counts of words add up to that of their text for a tokenizer that splits at white space
    first, such as WordPiece (`adds_up`); for any other they are close. May be used by several
    threads at once.
    """

    _last: ClassVar[dict[Tokenizer, Measure]] = {}

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> Measure:
        """The measure that knows the words of the documents before, or a new one in its time."""
        measure = cls._last.get(tokenizer)
        if measure is None or measure._characters > _REMEMBERED_CHARACTERS:
            measure = cls._last[tokenizer] = cls(tokenizer)
        return measure

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.special_tokens = tokenizer.special_tokens
        self.adds_up = _adds_up(tokenizer)
        self._tokenizer = tokenizer
        self._counts: dict[str, int] = {}
        self._exact_counts: dict[str, int] = {}
        self._characters = 0

    def weigh(self, pieces: Sequence[Piece]) -> None:
        """Set the pieces' `tokens`, by one call of the tokenizer."""
        self._learn(set(chain.from_iterable(piece.text.split() for piece in pieces)))
        count = self._counts.__getitem__
        for piece in pieces:
            piece.tokens = sum(map(count, piece.text.split()))

    def tokens(self, text: str) -> int:
        """About how many tokens a text has, special tokens left out."""
        words = text.split()
        self._learn(set(words))
        return sum(map(self._counts.__getitem__, words))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Exactly how many tokens each text has, special tokens included."""
        sums = [self._exact_sum(text) for text in texts]
        doubtful = [text for text, known in zip(texts, sums, strict=True) if known is None]
        spans = iter(self._tokenizer.spans(doubtful) if doubtful else ())
        counts = (len(next(spans)) if known is None else known for known in sums)
        return [self.special_tokens + count for count in counts]

    def _exact_sum(self, text: str) -> int | None:
        """The sum over a text's words; None where that need not be its count."""
        try:
            return sum(map(self._exact_counts.__getitem__, text.split()))
        except KeyError:
            return None

    def clip(self, text: str, most: int) -> str:
        """The leading words of a text that make at most `most` tokens; part of a huge first one."""
        words = text.split()
        while len(words) > 1 and self.tokens(" ".join(words)) > most:
            words = words[: max(1, min(len(words) - 1, most))]
        text = " ".join(words)
        while self.tokens(text) > most:
            text = text[: len(text) // 2]
        return text

    def refine(self, piece: Piece, source: str, room: int) -> list[Piece]:
        """The piece, or what it takes to have none of more than `room` tokens.

        It is cut into clauses, those that are still too long into words, then into characters.
        `source` is the document's text.
        """
        if piece.tokens <= room or len(piece.text) < 2:
            return [piece]
        raw = source[piece.start : piece.end]
        parts = list(_parts(raw, piece, _CLAUSE_END, Level.CLAUSE))
        if len(parts) == 1:
            parts = list(_parts(raw, piece, _WORD_END, Level.WORD))
        if len(parts) == 1:
            parts = _slices(parts[0], 2 * piece.tokens // room + 1)
        self.weigh(parts)
        return list(chain.from_iterable(self.refine(part, source, room) for part in parts))

    def _learn(self, words: set[str]) -> None:
        unknown = [word for word in words if word not in self._counts]
        if not unknown:
            return
        self._characters += sum(map(len, unknown))
        # behind a space, as within a text: some vocabularies tell the difference
        shown = [f" {word}" if len(word) <= _LONGEST_WORD else "" for word in unknown]
        for word, spans in zip(unknown, self._tokenizer.spans(shown), strict=True):
            least = len(word) // _CHARACTERS_A_TOKEN if len(word) <= _LONGEST_WORD else len(word)
            self._counts[word] = max(1, least, len(spans))
            if self.adds_up and self._counts[word] == len(spans):
                self._exact_counts[word] = len(spans)


def _adds_up(tokenizer: Tokenizer) -> bool:
    """Whether a text's tokens are those of its words, seen on a text made to tell."""
    words = _PROBE.split()
    whole, *parts = tokenizer.spans([_PROBE, *words])
    tokens = [word[a:b] for word, spans in zip(words, parts, strict=True) for a, b in spans]
    return [_PROBE[a:b] for a, b in whole] == tokens


def _parts(raw: str, whole: Piece, end_of_part: re.Pattern[str], level: Level) -> Iterator[Piece]:
    """The parts of a piece that reads `raw` in the document; all but the first begin at `level`."""
    begin, at, glue = 0, whole.level, whole.glue
    for stop in (*(match.end() for match in end_of_part.finditer(raw)), len(raw)):
        part = raw[begin:stop]
        if text := " ".join(part.split()):
            start = whole.start + stop - len(part.lstrip())
            end = whole.start + begin + len(part.rstrip())
            yield Piece(text, start, end, whole.page, at, glue)
            at, glue = level, " " if part[-1].isspace() else ""
        begin = stop


def _slices(word: Piece, number: int) -> list[Piece]:
    """A word in some equal parts."""
    size = max(1, len(word.text) // number)
    return [
        Piece(
            text=word.text[at : at + size],
            start=word.start + at,
            end=min(word.start + at + size, word.end),
            page=word.page,
            level=Level.CHARACTER if at else word.level,
            glue="" if at else word.glue,
        )
        for at in range(0, len(word.text), size)
    ]
