"""Documents to chunks: passages of one section each, measured in the embedding model's tokens.

Small sections share a chunk under the heading above them. What does not fit a chunk is cut where
its own content says so (`pieces.cut`), so that an edit moves only the cuts around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice

from tasks.embedders import Tokenizer
from tasks.ingest.outline import Section, outline
from tasks.ingest.pieces import Measure, Piece, cut
from tasks.records import Chunk, Document, embedded_text

CHUNKER_VERSION = 1
"""Raise it when the same document gives other chunks: every document is then cut anew."""

SMALLEST_LIMIT = 32
"""With fewer tokens there is no room for a context and a body."""

_CONTEXT_SHARE = 1 / 4
"""The title takes up at most this share of the limit, and the section path as much again."""
_WHOLE_SHARE = 1 / 2
"""A section is not divided into its subsections up to this share of the limit."""
_JOINED_SHARE = 1 / 4
"""Sections up to this share of the limit are put together with their neighbours."""
_SLACK_SHARE = 1 / 32
"""What is left free for a tokenizer whose counts can only be estimated."""


def chunk(document: Document, tokenizer: Tokenizer, limit: int) -> tuple[Chunk, ...]:
    """Cut a document into chunks whose `embedded_text` has at most `limit` tokens each.

    The chunks stand in reading order and do not overlap. Together they hold all of the text: a
    heading in the section path of what follows it, or as a line of a body; the title in each
    chunk. A body is the document's text from `start` to `end` where each run of white space has
    become one space or line feed; code keeps its indentation. The chunks depend on nothing but the
    arguments, and white space that separates words or lines changes only their offsets. Raises
    ValueError for a limit under `SMALLEST_LIMIT`.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a chunk of {limit} tokens has no room for text")
    measure = Measure.of(tokenizer)
    title = measure.clip(document.title or "", int(limit * _CONTEXT_SHARE)) or None
    packer = _Packer(document.text, title, measure, limit)
    root = outline(document, measure, int(limit * _CONTEXT_SHARE))
    drafts = list(packer.pack(root, ()))
    if not drafts:  # nothing but the title, as a heading
        drafts = [_Draft((), [piece]) for piece in islice(root.below(), 1)]
    return tuple(
        _finished(ordinal, title, draft, tokens)
        for ordinal, (draft, tokens) in enumerate(packer.count(drafts))
    )


@dataclass(frozen=True, slots=True)
class _Draft:
    """A chunk to be: the headings above it, and what it holds."""

    path: tuple[str, ...]
    pieces: Sequence[Piece]

    @property
    def body(self) -> str:
        first, *others = self.pieces
        return first.text + "".join(piece.glue + piece.text for piece in others)


def _finished(ordinal: int, title: str | None, draft: _Draft, tokens: int) -> Chunk:
    pages = [piece.page for piece in draft.pieces if piece.page is not None]
    return Chunk(
        ordinal=ordinal,
        body=draft.body,
        title=title,
        section=draft.path,
        start=draft.pieces[0].start,
        end=draft.pieces[-1].end,
        tokens=tokens,
        first_page=pages[0] if pages else None,
        last_page=pages[-1] if pages else None,
    )


class _Packer:
    """Packs the sections of one document, whose text is `source`, into drafts."""

    def __init__(self, source: str, title: str | None, measure: Measure, limit: int) -> None:
        self._source = source
        self._title = title
        self._measure = measure
        self._limit = limit
        slack = 0 if measure.adds_up else int(limit * _SLACK_SHARE)
        self._room = limit - slack - measure.special_tokens - measure.tokens(title or "")

    def pack(self, section: Section, path: tuple[str, ...]) -> Iterator[_Draft]:
        """What stands under a section's heading, with which `path` ends."""
        path = self._clip(path)
        room = self._room - self._path_tokens(path)
        if path and 0 < section.tokens_below <= min(room, self._limit * _WHOLE_SHARE):
            yield _Draft(path, list(section.below()))
            return
        for small, group in groupby(section.parts(), self._is_small):
            parts = list(group)
            if path and small and len(parts) > 1:
                yield from self._join(parts, path, room)
            else:
                for part in parts:
                    yield from self._pack_part(part, path, room)

    def _is_small(self, section: Section) -> bool:
        return section.tokens <= self._limit * _JOINED_SHARE

    def _join(
        self, sections: Sequence[Section], path: tuple[str, ...], room: int
    ) -> Iterator[_Draft]:
        """Small neighbours share chunks, their headings in the body."""
        wholes = [list(section.whole()) for section in sections]
        heads = [whole[0] for whole in wholes]
        for run in cut(heads, [section.tokens for section in sections], room):
            if len(wholes[run]) == 1:
                yield from self._pack_part(sections[run.start], path, room)
            else:
                yield _Draft(path, list(chain.from_iterable(wholes[run])))

    def _pack_part(self, part: Section, path: tuple[str, ...], room: int) -> Iterator[_Draft]:
        """A subsection under its heading, or that heading alone; or text without a heading."""
        if part.name and part.tokens_below:
            yield from self.pack(part, (*path, part.name))
        elif part.sections:
            yield from self.pack(part, path)
        elif part.pieces:
            yield from self._cut(part.pieces, path, room)
        elif part.name and part.heading:
            yield _Draft(path, [part.heading])

    def _cut(self, pieces: Sequence[Piece], path: tuple[str, ...], room: int) -> Iterator[_Draft]:
        refine = self._measure.refine
        fine = [part for piece in pieces for part in refine(piece, self._source, room)]
        for run in cut(fine, [piece.tokens for piece in fine], room):
            yield _Draft(path, fine[run])

    def _clip(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The path without as many outer headings as it takes to leave room for a body."""
        while len(path) > 1 and self._path_tokens(path) > self._limit * _CONTEXT_SHARE:
            path = path[1:]
        return path

    def _path_tokens(self, path: tuple[str, ...]) -> int:
        return self._measure.tokens(" > ".join(path))

    def count(self, drafts: Sequence[_Draft]) -> Iterator[tuple[_Draft, int]]:
        """Each draft with the tokens of its embedded text; those that prove too long are halved."""
        texts = [embedded_text(self._title, draft.path, draft.body) for draft in drafts]
        for draft, tokens in zip(drafts, self._measure.count(texts), strict=True):
            halves = self._halves(draft) if tokens > self._limit else [draft]
            if len(halves) == 1:
                yield draft, tokens
            else:
                yield from self.count(halves)

    def _halves(self, draft: _Draft) -> list[_Draft]:
        pieces = draft.pieces
        if len(pieces) == 1:
            pieces = self._measure.refine(pieces[0], self._source, max(1, pieces[0].tokens // 2))
        return list(self._cut(pieces, draft.path, sum(piece.tokens for piece in pieces) * 2 // 3))
