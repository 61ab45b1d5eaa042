"""What readers fill: clean elements in reading order, within limits."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from textwrap import dedent
from typing import Any

from tasks.errors import Rejected
from tasks.records import Document, Element

TEXT_LIMIT = 64_000_000
"""The most characters that are taken from one file."""
ELEMENT_LIMIT = 2_000_000
"""The most elements that are taken from one file."""
_SLICE_CHARACTERS = 1_000_000
_VALUE_LIMIT = 2000
_VALUES_LIMIT = 1000
TITLE_LIMIT = 200
"""A longer heading is not a document's title: it would drown the chunks that carry it."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u200b\u2060\ufeff\ufffe\uffff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_MEANINGLESS_TITLE = re.compile(
    r"^(?:microsoft (?:word|powerpoint|excel)\b|(?:powerpoint )?presentation\d*$|untitled"
    r"|do[ck]ument\d*$|\(?(?:unknown|anonymous|title)\)?$)"
    r"|\.(?:docx?|pptx?|xlsx?|pdf|tex|dvi|indd|qxd|rtf|odt)$",
    re.IGNORECASE,
)
_BULLETS = ("•", "‣", "▪", "●", "◦", "·")
_FIRST_ELEMENTS = 30
_NARRATIVE_WORDS = 5
_NARRATIVE_CHARACTERS = 25


class Elements:
    """Collects a document's elements in reading order.

    `page` and `section` are put on every element that is added while they are set. Text is
    cleaned on the way in and empty text is skipped; Rejected is raised beyond the limits.
    """

    def __init__(self) -> None:
        self.page: int | None = None
        self.section: str | None = None
        self._elements: list[Element] = []
        self._characters = 0

    def __len__(self) -> int:
        return len(self._elements)

    def heading(self, text: str, depth: int) -> None:
        """A heading of level `depth`, 1 for the outermost; levels beyond 6 count as 6."""
        self._add(prose(text).replace("\n", " "), "Title", depth=min(max(depth, 1), 6))

    def paragraph(self, text: str, category: str | None = None) -> None:
        """Running text; its line feeds are line breaks. `category` is told by length if None."""
        text = prose(text)
        if category is None and text.startswith(_BULLETS):
            self.item(text[1:])
        else:
            self._add(text, category or _paragraph_category(text))

    def item(self, text: str) -> None:
        """One item of a list."""
        self._add(prose(text), "ListItem")

    def code(self, text: str) -> None:
        """Text whose line breaks and indentation carry meaning."""
        self._add(verbatim(text), "CodeSnippet")

    def rows(self, text: str) -> None:
        """One or more rows of a table, a line each."""
        self._add(prose(text), "Table")

    def __iter__(self) -> Iterator[Element]:
        return iter(self._elements)

    def extend(self, others: Iterable[Element], section: str | None = None) -> None:
        """Append elements as they are, put under `section` where given."""
        for element in others:
            self._count(element.text)
            if section:
                path = f"{section} > {element.section}" if element.section else section
                element = replace(element, section=path)  # noqa: PLW2901
            self._elements.append(element)

    def believable(self, stated: str | None) -> str | None:
        """A title from a file's properties, where its first texts, or no heading, bear it out.

        Properties outlive the templates and drafts that they were copied with.
        """
        title = _stated_title(stated)
        if not title:
            return None
        if any(title in element.text for element in self._elements[:_FIRST_ELEMENTS]):
            return title
        return self._title_of_headings() or title

    def document(
        self, format: str, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Document:
        """The finished document; where `title` is None, its first heading of level 1 names it.

        Raises Rejected when nothing was added: a document without text must say so.
        """
        if not self._elements:
            raise Rejected("No text was found in it", "Check that the file holds any text.")
        return Document(
            format=format,
            title=_stated_title(title) if title is not None else self._title_of_headings(),
            elements=tuple(self._elements),
            metadata=_plain_values(metadata or {}),
        )

    def _title_of_headings(self) -> str | None:
        """The first heading of level 1, or a heading of any level that stands first."""
        headings = (i for i, e in enumerate(self._elements) if e.depth == 1 or (e.depth and i == 0))
        first = min(headings, key=lambda i: (self._elements[i].depth, i), default=None)
        text = "" if first is None else self._elements[first].text
        return _title(text)

    def _add(self, text: str, category: str, depth: int | None = None) -> None:
        if text:
            self._count(text)
            self._elements.append(Element(text, category, depth, self.page, self.section))

    def _count(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > TEXT_LIMIT:
            raise Rejected(
                f"It holds more than {TEXT_LIMIT:,} characters of text", "Split the file."
            )
        if len(self._elements) >= ELEMENT_LIMIT:
            raise Rejected(f"It holds more than {ELEMENT_LIMIT:,} paragraphs", "Split the file.")


def clean(text: str) -> str:
    """Drop what Postgres refuses and what nobody sees: NUL, controls, lone surrogates."""
    text = _INVISIBLE.sub("", text) if _INVISIBLE.search(text) else text
    return (
        _SURROGATE.sub("\ufffd", text) if not text.isascii() and _SURROGATE.search(text) else text
    )


def prose(text: str) -> str:
    """One space for each run of white space; line feeds stay, empty lines do not."""
    if "\n" not in text:
        return clean(spaced(text))
    lines = (spaced(line) for line in text.split("\n"))
    return clean("\n".join(line for line in lines if line))


def spaced(line: str) -> str:
    """The line's words a space apart, in slices: a list of all words takes ten times its size."""
    if len(line) <= _SLICE_CHARACTERS:
        return " ".join(line.split())
    slices = (line[i : i + _SLICE_CHARACTERS] for i in range(0, len(line), _SLICE_CHARACTERS))
    spaced = (
        " " * part[0].isspace() + " ".join(part.split()) + " " * part[-1].isspace()
        for part in slices
    )
    return "".join(spaced).replace("  ", " ").strip()


def verbatim(text: str) -> str:
    """Lines and their indentation, less what is common to all, and without outer empty lines."""
    lines = [line.rstrip() for line in text.expandtabs(4).split("\n")]
    if all(line[:1] in ("", " ") for line in lines):
        lines = dedent("\n".join(lines)).split("\n")
    return clean("\n".join(lines).strip("\n"))


def _paragraph_category(text: str) -> str:
    """NarrativeText for what is long enough to be a sentence, by unstructured's names."""
    if text.count(" ") + 1 >= _NARRATIVE_WORDS or len(text) >= _NARRATIVE_CHARACTERS:
        return "NarrativeText"
    return "UncategorizedText"


def _title(text: str | None) -> str | None:
    title = prose(text or "").replace("\n", " ")
    return title if 0 < len(title) <= TITLE_LIMIT else None


def _stated_title(text: str | None) -> str | None:
    title = _title(text)
    return None if not title or _MEANINGLESS_TITLE.search(title) else title


def _plain_values(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as jsonb takes it: clean texts, finite numbers, nothing empty."""
    plain = ((clean(name), _plain_value(value)) for name, value in metadata.items())
    return {name: value for name, value in plain if value not in (None, "", [], {})}


def _plain_value(value: Any) -> Any:
    if isinstance(value, str):
        return prose(value)[:_VALUE_LIMIT]
    if isinstance(value, list):
        return [_plain_value(item) for item in value[:_VALUES_LIMIT]]
    if isinstance(value, Mapping):
        return _plain_values(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool | int) else None
