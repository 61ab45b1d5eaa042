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
    one whose first line is not a whole value gives the values that stand in it, one after another.
    """
    head = stream.read(_BLOCK_BYTES)
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:]
    if _is_spread(head):
        yield from _value_blocks(head, stream)
    else:
        yield from _line_blocks(head, stream)


def _is_spread(head: bytes) -> bool:
    """Whether values run over lines: an array, or an object that its first line does not end."""
    text = head.lstrip()
    if text.startswith(b"["):
        return True
    first = text.partition(b"\n")[0].rstrip()
    return text.startswith(b"{") and len(first) < len(text.rstrip()) and not first.endswith(b"}")


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
    cutter = _Cutter(within_array=head.lstrip().startswith(b"["))
    read = head
    while read:
        cutter.feed(read)
        if len(cutter.rest) > LONGEST_LINE:
            yield Block(cutter.take(), too_long=(cutter.line_of_value,))
            return
        if cutter.held >= _BLOCK_BYTES:
            yield Block(cutter.take())
        read = stream.read(_BLOCK_BYTES)
    if cutter.rest.strip(b"\r\n\t ,]"):
        cutter.values.append((cutter.line_of_value, cutter.rest))  # cut off: the parser says so
    yield Block(cutter.take())


class _Cutter:
    """Cuts a stream at the values of its first level, or of the second within an array."""

    def __init__(self, within_array: bool) -> None:
        self.rest = b""
        self.values: list[tuple[int, bytes]] = []
        self.held = 0
        self.line_of_value = 1
        self._outer = int(within_array)
        self._depth = 0
        self._line = 1
        self._scanned = 0

    def feed(self, read: bytes) -> None:
        """Cut the values that end in what was read; what begins in it waits in `rest`."""
        self.rest += read
        begin = 0
        for token in _TOKEN.finditer(self.rest, self._scanned):
            mark = token.group()
            if mark == b'"':
                break  # a string whose end is not read yet
            self._scanned = token.end()
            if mark == b"\n":
                self._line += 1
            elif mark in b"{[":
                if self._depth == self._outer:
                    begin, self.line_of_value = token.start(), self._line
                self._depth += 1
            elif mark in b"}]":
                self._depth = max(0, self._depth - 1)
                if self._depth == self._outer:
                    self.values.append((self.line_of_value, self.rest[begin : self._scanned]))
                    self.held += self._scanned - begin
        if self._depth <= self._outer:
            begin = self._scanned
        self.rest, self._scanned = self.rest[begin:], self._scanned - begin

    def take(self) -> list[tuple[int, bytes]]:
        """The values that were cut since the last time."""
        values, self.values, self.held = self.values, [], 0
        return values
