"""A document as a tree of sections, its text in measured pieces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.ingest.pieces import Measure, Piece, split
from tasks.records import ELEMENT_SEPARATOR, Document, Element


@dataclass(slots=True)
class Section:
    """A heading (or a sheet, or the whole document), the text under it, and its subsections.

    `name` is what it adds to a section path: nothing where that is the document's title again.
    `tokens` counts everything, the heading included.
    """

    name: str = ""
    depth: int = -1
    heading: Piece | None = None
    pieces: list[Piece] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    tokens: int = 0

    @property
    def tokens_below(self) -> int:
        return self.tokens - (self.heading.tokens if self.heading else 0)

    def whole(self) -> Iterator[Piece]:
        """The heading and everything under it."""
        if self.heading:
            yield self.heading
        yield from self.below()

    def below(self) -> Iterator[Piece]:
        """Everything under the heading, with the headings of subsections."""
        yield from self.pieces
        for section in self.sections:
            yield from section.whole()

    def parts(self) -> list[Section]:
        """What a section is made of: its own text, as a section without a heading, and others."""
        if not self.pieces:
            return self.sections
        text = Section(pieces=self.pieces, tokens=sum(piece.tokens for piece in self.pieces))
        return [text, *self.sections]


def outline(document: Document, measure: Measure, longest_heading: int) -> Section:
    """The document's sections: a sheet or other named part, and in it what each heading opens.

    A heading of more than `longest_heading` tokens counts as text, since it cannot be repeated
    above all that follows it.
    """
    blocks = list(_blocks(document))
    measure.weigh([piece for _, pieces in blocks for piece in pieces])
    title = " ".join((document.title or "").split())
    root = Section()
    stack = [root]
    part: str | None = None
    for element, pieces in blocks:
        if element.section != part:
            part = element.section
            _open(stack, Section(measure.clip(part or "", longest_heading), depth=0))
        if element.depth is None or pieces[0].tokens > longest_heading:
            stack[-1].pieces += pieces
        else:
            name = pieces[0].text if pieces[0].text != title else ""
            _open(stack, Section(name, max(element.depth, 1), heading=pieces[0]))
    _weigh(root)
    return root


def _open(stack: list[Section], section: Section) -> None:
    """Close what a section of this depth ends, and put it under what stays open."""
    while stack[-1].depth >= section.depth:
        stack.pop()
    stack[-1].sections.append(section)
    stack.append(section)


def _weigh(section: Section) -> int:
    """Set the `tokens` of a section and its subsections."""
    heading = section.heading.tokens if section.heading else 0
    text = sum(piece.tokens for piece in section.pieces)
    section.tokens = heading + text + sum(map(_weigh, section.sections))
    return section.tokens


def _blocks(document: Document) -> Iterator[tuple[Element, list[Piece]]]:
    """Each element with its pieces; a heading is one."""
    offset = 0
    for element in document.elements:
        if element.depth is None:
            yield element, list(split(element, offset))
        elif text := " ".join(element.text.split()):
            yield element, [Piece(text, offset, offset + len(element.text), element.page)]
        offset += len(element.text) + len(ELEMENT_SEPARATOR)
