"""A file as blocks of JSON values: compressed or not, a value a line or a value over many lines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import orjson

from tasks.errors import Rejected

_BLOCK_BYTES = 4 << 20
LONGEST_LINE = 64 << 20
_MAGIC = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
)
DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What decompression raises on bytes that are cut off or not what they claim."""


@dataclass(frozen=True, slots=True)
class Block:
    """JSON values, each with the line where it begins; `too_long` are lines that were left out."""

    lines: list[tuple[int, bytes]]
    too_long: tuple[int, ...] = ()


def open_file(path: Path) -> IO[bytes]:
    """The file's content as a stream, decompressed as its first bytes say.

    Raises Rejected for zst where no library for it is installed, and OSError as `open` does.
    """
    with path.open("rb") as file:
        head = file.read(6)
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    if kind == "gz":
        return cast(IO[bytes], gzip.open(path))
    if kind == "bz2":
        return cast(IO[bytes], bz2.open(path))
    if kind == "xz":
        return cast(IO[bytes], lzma.open(path))
    if kind == "zst":
        try:
            from backports import zstd
        except ImportError:
            raise Rejected(
                "The file is compressed with zstd, which is not installed",
                "Install it: pip install 'openbook[zstd]'.",
            ) from None
        return cast(IO[bytes], zstd.open(path))
    return path.open("rb")


def blocks(stream: IO[bytes]) -> Iterator[Block]:
    """The values of the stream, in blocks of some 4 MB, holding no more than one in memory.

    One value a line is JSON Lines. A stream that begins with an array gives the array's elements;
    one whose first line is not a whole value, but whose first lines are, gives the values that
    stand in it, one after another.
    """
    head = stream.read(_BLOCK_BYTES)
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:]
    if _is_spread(head):
        yield from _value_blocks(head, stream)
    else:
        yield from _line_blocks(head, stream)


def _is_spread(head: bytes) -> bool:
    """Whether values run over lines: an array, or an object that its first line does not end.

    A first line that was torn, with whole ones behind it, is no such object.
    """
    text = head.lstrip()
    if text.startswith(b"["):
        return True
    first, _, others = text.partition(b"\n")
    if not text.startswith(b"{") or not others.strip() or _is_whole(first):
        return False
    cutter = _Cutter(text)
    cutter.feed(text)
    values = cutter.take()
    if values and _is_whole(values[0][1]):
        return True
    return not any(line.startswith(b"{") and _is_whole(line) for line in others.split(b"\n"))


def _is_whole(value: bytes) -> bool:
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return False
    return True


def _line_blocks(head: bytes, stream: IO[bytes]) -> Iterator[Block]:
    number = 1
    rest = head
    more = True
    while more:
        read = stream.read(_BLOCK_BYTES)
        more = bool(read)
        cut = len(rest) if not more else rest.rfind(b"\n") + 1
        if cut:
            whole, rest = rest[:cut].split(b"\n"), rest[cut:]
            if not whole[-1]:
                whole.pop()
            yield Block([(number + i, line) for i, line in enumerate(whole) if line.strip()])
            number += len(whole)
        rest += read
        if len(rest) > LONGEST_LINE and not 0 <= rest.find(b"\n") <= LONGEST_LINE:
            rest = _skip_line(rest, stream)
            yield Block([], too_long=(number,))
            number += 1


def _skip_line(rest: bytes, stream: IO[bytes]) -> bytes:
    """What follows the line that is too long."""
    while b"\n" not in rest:
        rest = stream.read(_BLOCK_BYTES)
        if not rest:
            return b""
    return rest.partition(b"\n")[2]


_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}\n]|"', re.DOTALL)


def _value_blocks(head: bytes, stream: IO[bytes]) -> Iterator[Block]:
    cutter = _Cutter(head)
    read = head
    while read:
        cutter.feed(read)
        while len(cutter.rest) > LONGEST_LINE:
            if not cutter.give_up():
                yield Block(cutter.take(), too_long=(cutter.line_of_value,))
                return
            cutter.feed(b"")
        if cutter.held >= _BLOCK_BYTES:
            yield Block(cutter.take())
        read = stream.read(_BLOCK_BYTES)
    while cutter.give_up():
        cutter.feed(b"")
    if cutter.rest.strip(b"\r\n\t ,]"):
        cutter.values.append((cutter.line_of_value, cutter.rest))  # cut off: the parser says so
    yield Block(cutter.take())


_OPENING = re.compile(rb'(?:\s*\[)?(?:[^\S\n]*\n)*([^\S\n]*)(\{\s*"[^"\\]*(?:\\.[^"\\]*)*")')


class _Cutter:
    """Cuts a stream at the values of its first level, or of the second within an array.

    A value that is damaged hides where it ends. It is taken to end where another begins as the
    first one of all does: on a line of its own with the same indentation, or behind a comma with
    the same name.
    """

    def __init__(self, head: bytes) -> None:
        self.rest = b""
        self.values: list[tuple[int, bytes]] = []
        self.held = 0
        self.line_of_value = 1
        self._outer = int(head.lstrip().startswith(b"["))
        self._depth = 0
        self._line = 1
        self._scanned = 0
        opening = _OPENING.match(head)
        self._next = opening and re.compile(
            rb"\n%b(?=\{)|,\s*(?=%b)" % (opening[1], re.escape(opening[2]))
        )

    def feed(self, read: bytes) -> None:
        """Cut the values that end in what was read; what begins in it waits in `rest`."""
        self.rest += read
        while not self._cut():
            pass

    def _cut(self) -> bool:
        """Whether all was cut; not where a damaged value was left for the next one."""
        begin = 0
        for token in _TOKEN.finditer(self.rest, self._scanned):
            mark = token.group()
            if mark == b'"':
                break  # a string whose end is not read yet
            self._scanned = token.end()
            if mark[:1] == b'"':
                self._line += mark.count(b"\n")  # of a string whose end was torn off
            elif mark == b"\n":
                self._line += 1
            elif mark in b"{[":
                if self._depth == self._outer:
                    begin, self.line_of_value = token.start(), self._line
                self._depth += 1
            elif self._depth > self._outer:
                self._depth -= 1
                if self._depth == self._outer:
                    value = self.rest[begin : self._scanned]
                    another = self._next and self._next.search(value)
                    if another and not _is_whole(value):
                        self.rest = self.rest[begin:]
                        self._leave(another)
                        return False
                    self.values.append((self.line_of_value, value))
                    self.held += len(value)
        if self._depth <= self._outer:
            begin = self._scanned
        self.rest, self._scanned = self.rest[begin:], self._scanned - begin
        return True

    def give_up(self) -> bool:
        """Leave the value whose end is not in sight for the next one; whether there is one."""
        another = self._next.search(self.rest) if self._next else None
        if self._depth == self._outer or not another:
            return False
        self._leave(another)
        return True

    def _leave(self, another: re.Match[bytes]) -> None:
        """Cut off what `rest` begins with where another value begins."""
        self.values.append((self.line_of_value, self.rest[: another.start()]))
        self.held += another.start()
        self._line = self.line_of_value + self.rest.count(b"\n", 0, another.end())
        self.rest = self.rest[another.end() :]
        self._depth, self._scanned = self._outer, 0

    def take(self) -> list[tuple[int, bytes]]:
        """The values that were cut since the last time."""
        values, self.values, self.held = self.values, [], 0
        return values
