"""Plain text, source code, and the captions of films."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from itertools import pairwise
from operator import add
from pathlib import Path

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.records import Document

_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")
_BULLET = re.compile(r"\s*(?:[-*+•‣◦▪●\u2013\u2014·]|\(?\d{1,3}[.)]|\(?[a-zA-Z][.)])\s+")
_UNDERLINE = re.compile(r"([=\-~^#*])\1{2,}$")
_CONTINUATIONS = frozenset((" ", "\t", ")", "]", "}"))
"""What a line of code begins with that belongs to the passage before it."""
_MARGIN_CHARACTERS = 45
"""A block that is narrower has no margin that its lines were wrapped at."""
_MARGIN_SHARE = 0.8

_CUE_TIMING = re.compile(r"(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}\s+-->\s+(?:\d+:)?\d{1,2}:\d{2}[.,]\d{3}")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_CUE_TAG = re.compile(r"</?[a-z][^>]*>|\{\\[^}]*\}", re.IGNORECASE)
_CUES_CHARACTERS = 600


def read_plain(path: Path) -> Document:
    """Paragraphs are what stands between empty lines; wrapped lines are joined."""
    elements = Elements()
    add_plain(elements, read_text(path))
    return elements.document("txt")


def add_plain(elements: Elements, text: str) -> None:
    """Append plain text's paragraphs, lists and underlined headings."""
    for block in _BLANK_LINES.split(text):
        lines = block.strip("\n\f").split("\n")
        if len(lines) == 2 and _UNDERLINE.match(lines[1].strip()):
            elements.heading(lines[0], 1 if lines[1].strip()[0] in "=#*" else 2)
        elif _BULLET.match(lines[0]):
            for item in _items(lines):
                elements.item(item)
        else:
            elements.paragraph(_unwrapped(lines))


def read_code(path: Path) -> Document:
    """Source code and configuration, cut where an unindented line follows an empty one."""
    elements = Elements()
    passage: list[str] = []
    for block in _BLANK_LINES.split(read_text(path)):
        if passage and block[:1] not in _CONTINUATIONS:
            elements.code("\n\n".join(passage))
            passage = []
        passage.append(block)
    elements.code("\n\n".join(passage))
    return elements.document("code")


def read_captions(path: Path) -> Document:
    """The spoken text of WebVTT and SubRip files: one paragraph a stretch of one speaker."""
    elements = Elements()
    speaker, spoken = "", ""
    for voice, text in _cues(read_text(path)):
        if voice != speaker or len(spoken) > _CUES_CHARACTERS:
            elements.paragraph(_utterance(speaker, spoken))
            spoken = ""
        speaker, spoken = voice, f"{spoken} {text}"
    elements.paragraph(_utterance(speaker, spoken))
    return elements.document("captions")


def _unwrapped(lines: list[str]) -> str:
    """Undo the line breaks that a margin forced; verses, addresses and logs keep theirs."""
    width = max(map(len, lines))
    forced = [_is_forced(line, following, width) for line, following in pairwise(lines)]
    if width < _MARGIN_CHARACTERS or sum(forced) * 2 < len(forced):
        return "\n".join(lines)
    breaks = (" " if is_forced else "\n" for is_forced in forced)
    return lines[0] + "".join(map(add, breaks, lines[1:]))


def _is_forced(line: str, following: str, width: int) -> bool:
    """Whether the next line's first word would have passed the margin, give or take a little."""
    word = following.split(maxsplit=1)[:1]
    return len(line) + 1 + len("".join(word)) > _MARGIN_SHARE * width


def _items(lines: list[str]) -> Iterator[str]:
    """The items of a list, their wrapped lines joined and their bullets (not numbers) dropped."""
    item: list[str] = []
    for line in lines:
        bullet = _BULLET.match(line)
        if bullet and item:
            yield " ".join(item)
            item = []
        marker = bullet.group().strip() if bullet else ""
        item.append(line[bullet.end() :] if bullet and marker[-1] not in ".)" else line)
    yield " ".join(item)


def _cues(text: str) -> Iterator[tuple[str, str]]:
    """(speaker, text) of each cue; a cue that repeats the one before is left out."""
    previous = None
    for block in _BLANK_LINES.split(text):
        lines = block.strip("\n").split("\n")
        timing = next((i for i, line in enumerate(lines[:3]) if _CUE_TIMING.search(line)), None)
        if timing is None:  # the file's header, a note, a style sheet
            continue
        payload = " ".join(lines[timing + 1 :])
        voice = _VOICE.search(payload)
        spoken = unescape(_CUE_TAG.sub("", payload)).strip()
        if spoken and spoken != previous:
            yield voice.group(1).strip() if voice else "", spoken
        previous = spoken


def _utterance(speaker: str, spoken: str) -> str:
    return f"{speaker}: {spoken.strip()}" if speaker and spoken.strip() else spoken
