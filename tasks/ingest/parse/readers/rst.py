"""reStructuredText, by docutils with inclusion, raw passages and configuration files off."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from tasks.errors import Rejected
from tasks.ingest.parse.elements import Elements
from tasks.ingest.parse.encoding import read_text
from tasks.ingest.parse.readers.plain import read_plain
from tasks.ingest.parse.tables import add_rows
from tasks.records import Document

_LINE_LIMIT = 10_000
_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "_disable_config": True,
    "report_level": 3,  # what could not be read stays in the tree as an error with its source
    "halt_level": 5,
    "warning_stream": False,
    "line_length_limit": _LINE_LIMIT,
}
_ROLE = re.compile(
    r"(?<![\w:])(?::[\w.+-]{1,40}){1,3}:`(?:([^`<]{0,300}?)\s*<[^`>]{0,300}>|[~!]?([^`]{0,300}))`"
)
_UNSEEN = ("comment", "substitution_definition", "target", "docinfo", "pending", "decoration")
_INVISIBLE_DIRECTIVES = frozenset(
    ("toctree", "index", "highlight", "currentmodule", "module", "automodule")
)
_CODE_DIRECTIVES = ("code-block", "sourcecode", "code", "ipython", "prompt", "doctest", "testcode")


def read_rst(path: Path) -> Document:
    """Sections, paragraphs, lists, listings, tables; Sphinx's roles and directives as text."""
    from docutils.core import publish_doctree

    text = read_text(path)
    if max(map(len, text.split("\n"))) > _LINE_LIMIT:
        return read_plain(path)  # docutils takes minutes over a long line
    _accept_any_directive()
    source = _ROLE.sub(lambda role: f"``{role.group(1) or role.group(2)}``", text)
    try:
        tree = publish_doctree(source, settings_overrides=_SETTINGS)
    except (RecursionError, ValueError, AssertionError, AttributeError, TypeError) as error:
        raise Rejected(
            f"It is no reStructuredText that can be read: {error}", "Save it as txt."
        ) from error
    elements = Elements()
    _Blocks(elements).add(tree, 0)
    return elements.document("rst")


class _Blocks:
    """Turns docutils' tree into elements."""

    def __init__(self, elements: Elements) -> None:
        self._elements = elements

    def add(self, node: Any, depth: int, in_item: bool = False) -> None:
        """Append what stands below `node`, a part of a section of level `depth`."""
        kind = node.tagname
        if kind in ("title", "subtitle", "rubric"):
            self._elements.heading(node.astext(), max(depth, 1))
        elif kind in ("literal_block", "doctest_block", "math_block"):
            self._elements.code(node.astext())
        elif kind == "paragraph":
            text = _joined(node)
            self._elements.item(text) if in_item else self._elements.paragraph(text)
        elif kind == "definition_list_item":
            self._add_definition(node, depth)
        elif kind in _WRITERS:
            _WRITERS[kind](self._elements, node)
        elif kind != "#text" and kind not in _UNSEEN:
            titled = bool(node.children) and node.children[0].tagname == "title"
            deeper = depth + (kind == "section" or (kind == "document" and titled))
            for child in node.children:
                self.add(child, deeper, in_item or kind == "list_item")

    def _add_definition(self, node: Any, depth: int) -> None:
        """A term stands before the first paragraph of what it means."""
        *terms, definition = node.children
        term = " ".join(_joined(child) for child in terms)
        first, *rest = definition.children or (None,)
        if first is not None and first.tagname == "paragraph":
            self._elements.item(f"{term}: {_joined(first)}")
        else:
            self._elements.paragraph(term)
            rest = definition.children
        for child in rest:
            self.add(child, depth, in_item=True)


def _add_table(elements: Elements, table: Any) -> None:
    for title in table.findall(lambda child: child.tagname == "title"):
        elements.paragraph(_joined(title), "FigureCaption")
    heads = table.findall(lambda child: child.tagname == "thead")
    rows = table.findall(lambda child: child.tagname == "row")
    header_rows = sum(len(head.children) for head in heads) or None
    add_rows(elements, ([_joined(cell) for cell in row] for row in rows), header_rows)


def _add_field(elements: Elements, field: Any) -> None:
    name, body = field.children
    elements.item(f"{name.astext()}: {_joined(body)}")


def _add_option(elements: Elements, option: Any) -> None:
    elements.item(": ".join(_joined(child) for child in option.children))


def _add_lines(elements: Elements, block: Any) -> None:
    lines = block.findall(lambda child: child.tagname == "line")
    elements.paragraph("\n".join(line.astext() for line in lines))


def _add_caption(elements: Elements, caption: Any) -> None:
    elements.paragraph(_joined(caption), "FigureCaption")


def _add_unread(elements: Elements, message: Any) -> None:
    """The source of what docutils could not read."""
    for source in message.findall(lambda child: child.tagname == "literal_block"):
        elements.code(source.astext())


def _joined(node: Any) -> str:
    return " ".join(node.astext().split())


_WRITERS: dict[str, Callable[[Elements, Any], None]] = {
    "table": _add_table,
    "field": _add_field,
    "option_list_item": _add_option,
    "line_block": _add_lines,
    "caption": _add_caption,
    "attribution": _add_caption,
    "system_message": _add_unread,
}


@cache
def _accept_any_directive() -> None:
    """Directives that docutils does not know (Sphinx's, mostly) give their text, not an error."""
    from docutils import nodes
    from docutils.parsers.rst import Directive, directives

    class AnyDirective(Directive):
        has_content = True
        optional_arguments = 1
        final_argument_whitespace = True
        option_spec: ClassVar[Any] = defaultdict(lambda: directives.unchanged)

        def run(self) -> list[Any]:
            if self.name in _INVISIBLE_DIRECTIVES:
                return []
            if self.name in _CODE_DIRECTIVES:
                return [nodes.literal_block("", "\n".join(self.content))]
            title = [nodes.paragraph("", argument) for argument in self.arguments]
            body = nodes.container()
            self.state.nested_parse(self.content, self.content_offset, body)
            return [*title, body]

    known = directives.directive

    def directive(name: str, language: Any, document: Any) -> tuple[Any, list[Any]]:
        if name in _CODE_DIRECTIVES:
            return AnyDirective, []
        found, messages = known(name, language, document)
        return (found, messages) if found else (AnyDirective, [])

    directives.directive = directive  # type: ignore[assignment]
