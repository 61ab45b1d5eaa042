"""Markdown and MDX, by markdown-it's CommonMark parser with tables."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.readers.html import add_html
from tasks.ingest.parse.readers.markdown_rules import (
    NESTING_LIMIT,
    inline_text,
    labels,
    parse_blocks,
)
from tasks.ingest.parse.readers.plain import add_plain
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

if TYPE_CHECKING:
    from markdown_it.token import Token

_FRONT_MATTER = re.compile(r"(---|\+\+\+)[ \t]*\n(.*?\n)?\1[ \t]*(?:\n|$)", re.DOTALL)
_FRONT_MATTER_LIMIT = 65_536
"""YAML aliases multiply: what is longer than this is text, not front matter."""

_FENCE = re.compile(r"\s*(`{3,}|~{3,})")
_ADMONITION_MARKS = ("!!!", "???", "===", ":::")
_ADMONITION = re.compile(r"(?:!!!|\?\?\?\+?|===)\s+(?:\w[\w-]*\s*)?(?:\"([^\"]*)\")?\s*$")
_CONTAINER = re.compile(r":::+\s*(?:\w[\w-]*)?\s*(.*?)\s*$")
_MODULE_LINE = re.compile(
    r"(?:import\s.+\sfrom\s+['\"]|import\s+['\"]|export\s+(?:const|default)\b)"
)
_TAG_LINE = re.compile(r"\s*<(?:/[\w.]*|[A-Z][\w.]*(?:\s[^<>]*)?/?|)>\s*$")


def read_markdown(path: Path) -> Document:
    """CommonMark; front matter becomes metadata, and its description the first paragraph."""
    return _read(path, mdx=False)


def read_mdx(path: Path) -> Document:
    """Markdown with components: their tags go, the texts in them stay."""
    return _read(path, mdx=True)


def _read(path: Path, mdx: bool) -> Document:
    front, text = _split_front_matter(read_text(path))
    elements = Elements()
    if isinstance(description := front.get("description"), str):
        elements.paragraph(description)
    add_markdown(elements, text, mdx)
    if not len(elements):  # a page that is generated from its front matter
        elements.rows("\n".join(f"{name}: {value}" for name, value in front.items()))
    title = front.get("title")
    return elements.document("md", title if isinstance(title, str) else None, front)


def add_markdown(elements: Elements, text: str, mdx: bool = False) -> None:
    """Append the blocks of Markdown source."""
    lines = _without_admonitions(text.split("\n"))
    source = "\n".join(_without_components(lines) if mdx else lines)
    tokens, definitions = parse_blocks(source, mdx)
    if any(token.level >= NESTING_LIMIT - 2 for token in tokens):
        add_plain(elements, text)  # the parser drops what is nested deeper
    else:
        _Blocks(elements, definitions).add(tokens)


def _split_front_matter(text: str) -> tuple[dict[str, Any], str]:
    """The front matter's plain values, and the text behind it."""
    match = _FRONT_MATTER.match(text)
    if not match or match.end() > _FRONT_MATTER_LIMIT:
        return {}, text
    values = _load_front_matter(match.group(1), match.group(2) or "")
    return ({}, text) if values is None else (values, text[match.end() :])


def _load_front_matter(fence: str, source: str) -> dict[str, Any] | None:
    import yaml

    try:
        loaded = tomllib.loads(source) if fence == "+++" else yaml.safe_load(source)
    except (yaml.YAMLError, ValueError, RecursionError):
        return None
    if loaded is None:
        return {}
    if not isinstance(loaded, Mapping):
        return None
    plain = ((str(key), _plain(value)) for key, value in loaded.items())
    return {key: value for key, value in plain if value is not None}


def _plain(value: object) -> Any:
    """A value as JSON knows it, one level deep; None for what is nested deeper."""
    if isinstance(value, str | int | float | bool):
        return value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, list):
        items = [_plain(item) for item in value[:1000] if not isinstance(item, list)]
        return [item for item in items if item is not None]
    return None


def _without_components(lines: Iterable[str]) -> Iterator[str]:
    """MDX as Markdown: imports go; a tag on a line of its own leaves the texts it carries."""
    fence = ""
    for line in lines:
        fence = _fence_after(fence, line)
        if fence:
            yield line
        elif _TAG_LINE.match(line):
            yield from ("", labels(line), "")
        elif not _MODULE_LINE.match(line):
            yield line


def _without_admonitions(lines: Iterable[str]) -> Iterator[str]:
    """MkDocs' `!!! note "Title"` and Docusaurus' `:::tip Title` as ordinary blocks."""
    fence, level = "", 0
    for written in lines:
        if level and written.strip():
            level = min(level, (len(written) - len(written.lstrip(" "))) // 4)
        line = written[4 * level :]
        fence = _fence_after(fence, line)
        if fence or line[:3] not in _ADMONITION_MARKS:
            yield line
        elif admonition := _ADMONITION.match(line):
            level += 1
            yield from ("", admonition.group(1) or "", "")
        elif container := _CONTAINER.match(line):
            yield from ("", container.group(1), "")
        else:
            yield line


def _fence_after(fence: str, line: str) -> str:
    """The code fence that is open behind the line, given the one open before it."""
    match = _FENCE.match(line)
    if not match:
        return fence
    if not fence:
        return match.group(1)
    closes = match.group(1).startswith(fence) and not line[match.end() :].strip()
    return "" if closes else fence


class _Blocks:
    """Turns markdown-it's block tokens into elements."""

    def __init__(self, elements: Elements, definitions: MutableMapping[str, Any]) -> None:
        self._elements = elements
        self._definitions = definitions
        self._item_depth = 0
        self._heading = 0
        self._rows: list[list[str]] | None = None
        self._html = ""

    def add(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if token.type == "html_block":
                self._html += token.content
                continue
            self._flush_html()
            self._take(token)
        self._flush_html()

    def _take(self, token: Token) -> None:
        kind = token.type
        if kind == "inline":
            self._inline(inline_text(token.content, self._definitions))
        elif kind in ("fence", "code_block"):
            self._elements.code(token.content)
        elif kind in ("list_item_open", "list_item_close"):
            self._item_depth += token.nesting
        elif kind in ("heading_open", "heading_close"):
            self._heading = int(token.tag[1]) if token.nesting == 1 else 0
        elif kind == "table_open":
            self._rows = []
        elif kind == "tr_open" and self._rows is not None:
            self._rows.append([])
        elif kind == "table_close" and self._rows is not None:
            add_rows(self._elements, self._rows, header_rows=1)
            self._rows = None

    def _inline(self, text: str) -> None:
        if self._rows is not None:
            self._rows[-1].append(text)
        elif self._heading:
            self._elements.heading(text, self._heading)
        elif self._item_depth:
            self._elements.item(text)
        else:
            self._elements.paragraph(text)

    def _flush_html(self) -> None:
        """Blocks of HTML that follow each other are one: a table may hold empty lines."""
        if self._html:
            add_html(self._elements, self._html)
            self._html = ""
