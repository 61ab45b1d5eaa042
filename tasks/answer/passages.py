"""Hits to passages: each text once, and what stands together in its document read together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tasks.prompt import Shown
from tasks.records import Hit


@dataclass(frozen=True, slots=True)
class Passage:
    """What is shown to a model under one number: hits that follow each other in one section."""

    number: int
    hits: tuple[Hit, ...]

    @property
    def text(self) -> str:
        """The hits' texts in reading order."""
        return "\n".join(hit.text for hit in self.hits)

    @property
    def source(self) -> str:
        """Where it stands: the file, its title, the section, its first page."""
        first = self.hits[0]
        page = None if first.page is None else f"page {first.page}"
        return " · ".join(part for part in (first.path, first.title, first.section, page) if part)

    @property
    def shown(self) -> Shown:
        """As a model sees it."""
        return Shown(self.number, self.source, self.text)

    @property
    def chunk_ids(self) -> tuple[int, ...]:
        """Of the hits."""
        return tuple(hit.chunk_id for hit in self.hits)


def join_hits(hits: Sequence[Hit], ordinals: Mapping[int, int]) -> list[Passage]:
    """The passages that hits make, best first and numbered so, from 1.

    `ordinals` says of chunk ids which place each has in its document. A text that stands in several
    documents is shown once, where it was found best.
    """
    rows: list[list[Hit]] = []
    places: dict[tuple[int, str | None, int], list[Hit]] = {}
    for hit in _distinct(hits):
        place = ordinals.get(hit.chunk_id)
        if place is None:  # published anew since it was found
            rows.append([hit])
            continue
        before = places.get((hit.document_id, hit.section, place - 1))
        behind = places.get((hit.document_id, hit.section, place + 1))
        row = before if before is not None else behind
        if row is None:
            row = []
            rows.append(row)
        row.append(hit)
        places[hit.document_id, hit.section, place] = row
        if before is not None and behind is not None:
            before += behind
            rows = [one for one in rows if one is not behind]
            places = {at: before if one is behind else one for at, one in places.items()}
    rows.sort(key=lambda row: min(hit.rank for hit in row))
    return [
        Passage(number, tuple(sorted(row, key=lambda hit: ordinals.get(hit.chunk_id, 0))))
        for number, row in enumerate(rows, start=1)
    ]


def join_sections(chunks: Sequence[Hit]) -> list[Passage]:
    """The passages that whole documents make, in the order given: one a section and page."""
    rows: list[list[Hit]] = []
    for chunk in chunks:
        last = rows[-1][-1] if rows else None
        if last is not None and _section(last) == _section(chunk):
            rows[-1].append(chunk)
        else:
            rows.append([chunk])
    return [Passage(number, tuple(row)) for number, row in enumerate(rows, start=1)]


def shorten(passage: Passage, characters: int) -> Passage:
    """The passage cut after so many characters of its hits' texts."""
    kept: list[Hit] = []
    for hit in passage.hits:
        if characters <= 0:
            break
        kept.append(replace(hit, text=hit.text[:characters]))
        characters -= len(hit.text)
    return replace(passage, hits=tuple(kept))


def _distinct(hits: Sequence[Hit]) -> list[Hit]:
    seen: set[str] = set()
    kept = []
    for hit in hits:
        text = " ".join(hit.text.split())
        if text not in seen:
            seen.add(text)
            kept.append(hit)
    return kept


def _section(hit: Hit) -> tuple[int, str | None, int | None]:
    return hit.version_id, hit.section, hit.page
