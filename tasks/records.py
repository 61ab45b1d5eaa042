"""The values that travel between stages."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any


@dataclass(frozen=True, slots=True)
class Element:
    """One block of a parsed document, in reading order.

    `category` is unstructured's name for it (Title, NarrativeText, ListItem, Table, CodeSnippet …).
    `depth` is a heading's level, 1 for the outermost; None for what is not a heading.
    `page` counts from 1: a pdf's page, a presentation's slide; `section` names a part that is not a
    heading of the text itself, such as a spreadsheet's sheet.
    """

    text: str
    category: str
    depth: int | None = None
    page: int | None = None
    section: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """What a parser read from one file: `elements` in order, and what the file says of itself.

    `title` comes from the content alone (never from the file's name), so that a rename changes
    nothing; None where the content has no title.
    """

    format: str
    title: str | None
    elements: tuple[Element, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The document's text; chunks' offsets count its characters."""
        return ELEMENT_SEPARATOR.join(element.text for element in self.elements)


ELEMENT_SEPARATOR = "\n\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document that a program gives, rather than a file: its id stands where a path would."""

    id: str
    title: str
    text: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Chunk:
    """A passage of one document: what is embedded, found and cited.

    `body` is the text between the characters `start` and `end` of the document's text (white space
    may differ). `section` is the path of headings above it, outermost first, without the title.
    `context` is what a language model says of where the body stands: found by, never shown as text.
    `tokens` counts `embedded_text` in the embedding model's tokens, special tokens included.
    """

    ordinal: int
    body: str
    title: str | None
    section: tuple[str, ...]
    start: int
    end: int
    tokens: int
    first_page: int | None = None
    last_page: int | None = None
    context: str | None = None

    @cached_property
    def embedded_text(self) -> str:
        """Exactly what the embedder reads: the title, the section path, the context, the body."""
        return embedded_text(self.title, self.section, self.body, self.context)

    @cached_property
    def sha256(self) -> bytes:
        """The identity under which the chunk's embedding is stored."""
        return hashlib.sha256(self.embedded_text.encode()).digest()


def embedded_text(
    title: str | None, section: tuple[str, ...], body: str, context: str | None = None
) -> str:
    """Put what a chunk stands under before its body, one line each where there is any."""
    lines = (title or "", " > ".join(section), context or "", body)
    return "\n".join(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class Usage:
    """What an embedder has consumed so far: input tokens, and dollars where they are charged."""

    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: Usage) -> Usage:
        return Usage(self.tokens - other.tokens, self.usd - other.usd)


@dataclass(frozen=True, slots=True)
class Hit:
    """One search result; `keyword_rank` and `dense_rank` are its places in each list, from 1."""

    rank: int
    score: float
    path: str
    title: str | None
    section: str | None
    page: int | None
    text: str
    source: str
    document_id: int
    version_id: int
    chunk_id: int
    keyword_rank: int | None
    dense_rank: int | None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A chunk that stands near another; `distance` counts chunks, negative before it."""

    distance: int
    section: str | None
    page: int | None
    text: str
    chunk_id: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a chunk is a hit of a query, or why it is none: see `openbook.why` in sql/functions."""

    reason: str
    rank: int | None
    score: float | None
    keyword_rank: int | None
    keyword_score: float | None
    lexemes: list[dict[str, Any]]
    dense_rank: int | None
    similarity: float | None
    demands: list[dict[str, Any]]
    current: bool
    valid_to: datetime | None
    source: str
    path: str
    chunk_id: int


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A model that answers, and where it is asked.

    `name` is what people call it (a registered one's name and version); `model` is what its server
    at `url` (None: OpenAI's) knows it by. `id` is that of openbook.chat_models, None for a model
    that is only configured. `window` is the most tokens that it reads and writes at once. `sha256`,
    hexadecimal, is that of the file which `model` is, for one that is served from a file.
    """

    name: str
    model: str
    url: str | None = None
    id: int | None = None
    window: int = 8192
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What a question was answered with, and what the answer stands on.

    `outcome` is `answered`, `nothing found` (retrieval found nothing good enough), `no model` (the
    passages themselves are the answer) or `failed` (`reason`; `lasting`: to ask again would fail
    alike, since the endpoint refuses the question or the answer, or the model has no word for it).
    `passages` are the hits that the model was shown, best first, and `numbers` the number that each
    was shown under: hits that follow each other share one. `cited` are chunk ids among them, in the
    order of their citation; `removed_citations` counts citations of something else, which are no
    longer in `text`. Times are milliseconds, tokens the endpoint's count where it gives one.
    `conversation` names that in which it was logged.
    """

    question: str
    text: str
    outcome: str
    strategy: str
    model: ChatModel | None = None
    passages: tuple[Hit, ...] = ()
    numbers: tuple[int, ...] = ()
    cited: tuple[int, ...] = ()
    removed_citations: int = 0
    context_tokens: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    retrieval_ms: int = 0
    generation_ms: int = 0
    response_id: str | None = None
    conversation: str | None = None
    reason: str | None = None
    lasting: bool = False


def encode_path(name: bytes) -> str:
    r"""A file name's bytes as text that Postgres can store: `\` as `\\`, non-UTF-8 as `\xNN`."""
    return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def decode_path(path: str) -> bytes:
    r"""The file name's bytes for a text made by `encode_path`."""
    parts = path.encode().split(b"\\\\")
    return b"\\".join(_unescape(part) for part in parts)


def _unescape(part: bytes) -> bytes:
    first, *escaped = part.split(b"\\x")
    return first + b"".join(bytes([int(rest[:2], 16)]) + rest[2:] for rest in escaped)
