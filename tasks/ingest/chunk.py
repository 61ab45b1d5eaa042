"""Documents to chunks: passages of one section each, measured in the embedding model's tokens.

The text under a heading is one chunk with that of its subsections while they are small. What does
not fit is cut where its own content says so, so that an edit moves only the cuts around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from tasks.embedders import Tokenizer
from tasks.ingest.outline import Section, outline
from tasks.ingest.pieces import Measure, Piece, cut
from tasks.records import Chunk, Document, embedded_text

CHUNKER_VERSION = 1
"""Grows whenever the same document may come out in other chunks."""

SMALLEST_LIMIT = 16
"""With fewer tokens there is no room for a context and a body."""

_FOLD_SHARE = 2
_SMALL_SHARE = 8


def chunk(document: Document, tokenizer: Tokenizer, limit: int) -> tuple[Chunk, ...]:
    """Cut a document into chunks whose `embedded_text` has at most `limit` tokens each.

    The chunks stand in reading order without overlap. Together they hold all of the text: a
    heading in the section path of what follows it, or as a line of a body. A body is the
    document's text from `start` to `end` where each run of white space has become one space or
    line feed; code keeps its indentation. The result depends on the arguments alone, and on the
    text by its words and lines alone. Raises ValueError for a limit under 16 tokens.
    """
    if limit < SMALLEST_LIMIT:
        raise ValueError(f"a chunk of {limit} tokens has no room for text")
    measure = Measure(tokenizer)
    root = outline(document, measure, limit // 4)
    packer = _Packer(document, tokenizer, measure, limit)
    drafts = list(packer.pack(root, ())) or [
        _Draft((), [section.heading]) for section in root.sections[:1] if section.heading
    ]
    return tuple(packer.finish(drafts))


@dataclass(frozen=True, slots=True)
class _Draft:
    """A chunk to be: the headings above it, and what it holds."""

    path: tuple[str, ...]
    pieces: Sequence[Piece]

    @property
    def tokens(self) -> int:
        return sum(piece.tokens for piece in self.pieces)

    @property
    def body(self) -> str:
        first, *others = self.pieces
        return first.text + "".join(piece.glue + piece.text for piece in others)


class _Packer:
    """Packs the sections of one document into drafts, and finishes these as chunks."""

    def __init__(
        self, document: Document, tokenizer: Tokenizer, measure: Measure, limit: int
    ) -> None:
        self._source = document.text
        self._tokenizer = tokenizer
        self._measure = measure
        self._limit = limit
        self._context_limit = limit // 4
        self._title = measure.clip(document.title or "", self._context_limit) or None
        slack = 0 if measure.adds_up else limit // 32
        self._room = limit - tokenizer.special_tokens - measure.tokens(self._title or "") - slack

    def pack(self, section: Section, path: tuple[str, ...]) -> Iterator[_Draft]:
        """What is under a section's heading, where `path` ends with that heading."""
        path = self._clip(path)
        below = section.tokens - (section.heading.tokens if section.heading else 0)
        room = self._room - self._measure.tokens(" > ".join(path))
        if path and 0 < below <= min(room, self._limit // _FOLD_SHARE):
            yield _Draft(path, list(section.below()))
            return
        yield from self._cut(section.pieces, path, room)
        for small, group in groupby(section.sections, self._is_small):
            sections = list(group)
            if small and path and len(sections) > 1:
                yield from self._join(sections, path, room)
            else:
                for subsection in sections:
                    yield from self._pack_one(subsection, path)

    def _pack_one(self, section: Section, path: tuple[str, ...]) -> Iterator[_Draft]:
        """A section with its heading: above its text, or as the text where there is none."""
        own = (*path, section.name) if section.name else path
        if section.pieces or section.sections:
            yield from self.pack(section, own)
        elif section.heading and section.name:
            yield _Draft(path, [section.heading])

    def _is_small(self, section: Section) -> bool:
        return section.heading is not None and section.tokens <= self._limit // _SMALL_SHARE

    def _join(
        self, sections: Sequence[Section], path: tuple[str, ...], room: int
    ) -> Iterator[_Draft]:
        """Small neighbours under one heading share chunks, their own headings in the body."""
        wholes = [[s.heading, *s.below()] for s in sections if s.heading]
        heads = [whole[0] for whole in wholes]
        for run in cut(heads, [section.tokens for section in sections], room):
            if run.stop - run.start == 1:
                yield from self._pack_one(sections[run.start], path)
            else:
                yield _Draft(path, list(chain.from_iterable(wholes[run])))

    def _cut(self, pieces: Sequence[Piece], path: tuple[str, ...], room: int) -> Iterator[_Draft]:
        refine = self._measure.refine
        fine = [part for piece in pieces for part in refine(piece, self._source, room)]
        for run in cut(fine, [piece.tokens for piece in fine], room) if fine else ():
            yield _Draft(path, fine[run])

    def _clip(self, path: tuple[str, ...]) -> tuple[str, ...]:
        """The path without as many outer headings as it takes to leave room for a body."""
        while len(path) > 1 and self._measure.tokens(" > ".join(path)) > self._context_limit:
            path = path[1:]
        return path

    def finish(self, drafts: Sequence[_Draft]) -> Iterator[Chunk]:
        for ordinal, (draft, tokens) in enumerate(self._counted(drafts)):
            pages = [piece.page for piece in draft.pieces if piece.page is not None]
            yield Chunk(
                ordinal=ordinal,
                body=draft.body,
                title=self._title,
                section=draft.path,
                start=draft.pieces[0].start,
                end=draft.pieces[-1].end,
                tokens=tokens,
                first_page=pages[0] if pages else None,
                last_page=pages[-1] if pages else None,
            )

    def _counted(self, drafts: Sequence[_Draft]) -> Iterator[tuple[_Draft, int]]:
        """Each draft with its tokens; those that prove too long are halved."""
        for draft, tokens in zip(drafts, self._counts(drafts), strict=True):
            halves = self._halves(draft) if tokens > self._limit else [draft]
            if len(halves) == 1:
                yield draft, tokens
            else:
                yield from self._counted(halves)

    def _counts(self, drafts: Sequence[_Draft]) -> list[int]:
        """Tokens of each draft's embedded text: summed where that is exact, else counted."""
        measure, special = self._measure, self._tokenizer.special_tokens
        title = special + measure.tokens(self._title or "")
        counts = [title + measure.tokens(" > ".join(draft.path)) + draft.tokens for draft in drafts]
        doubtful = [i for i, draft in enumerate(drafts) if not measure.is_exact(draft.pieces)]
        texts = [embedded_text(self._title, drafts[i].path, drafts[i].body) for i in doubtful]
        for i, spans in zip(doubtful, self._tokenizer.spans(texts) if texts else (), strict=True):
            counts[i] = special + len(spans)
        return counts

    def _halves(self, draft: _Draft) -> list[_Draft]:
        pieces = draft.pieces
        if len(pieces) == 1:
            pieces = self._measure.refine(pieces[0], self._source, pieces[0].tokens // 2)
        return list(self._cut(pieces, draft.path, sum(piece.tokens for piece in pieces) * 2 // 3))
